package dax

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// The rules are what clients for Go do that a node must bear, one test each.
func (s *suite) rules(t *testing.T) {
	t.Run("a missing item is no item", func(t *testing.T) {
		// This client panics on a null in the place of an item.
		for _, how := range []Object{nil, {"ProjectionExpression": "a"}} {
			for _, read := range reads {
				if found := read.item(t, s.client, id("never there"), how); found != nil {
					t.Fatalf("%s found %v", read.name, found)
				}
			}
		}
	})
	t.Run("definitions on another connection in the middle of a request", func(t *testing.T) {
		// The client flushes every 4 KiB, and asks for the number of an attribute list, on another connection, where it needs it: with
		// half of the request sent.
		writes := []any{}
		for at := range 25 {
			writes = append(writes, Object{"PutRequest": Object{"Item": with(
				shaped(fmt.Sprint("middle ", at), fmt.Sprint("fresh", at)), Object{"text": Object{"S": strings.Repeat("t", 5000)}},
			)}})
		}
		client := s.dial(t, How{Endpoint: s.node.DAX})
		call(t, client, "BatchWriteItem", Object{"RequestItems": Object{"things": writes}})
		for at := range 25 {
			found := call(t, client, "GetItem", Object{"TableName": "things", "Key": id(fmt.Sprint("middle ", at))})["Item"].(Object)
			same(t, found[fmt.Sprint("fresh", at)], Object{"S": fmt.Sprint("this is fresh", at)})
		}
	})
	t.Run("the same attributes in any order are one list", func(t *testing.T) {
		// Maps have no order in Go: the client sorts the names by bytes, and what is beyond the basic plane comes last.
		names := []string{"z", "a", "\uffee", "🐎", "Z", "é", "_"}
		for at := range 20 {
			item := shaped(fmt.Sprint("order ", at), names...)
			call(t, s.client, "PutItem", Object{"TableName": "things", "Item": item})
			same(t, call(t, s.client, "GetItem", Object{"TableName": "things", "Key": id(fmt.Sprint("order ", at))})["Item"], item)
			same(t, s.node.over(t, "GetItem", Object{"TableName": "things", "Key": id(fmt.Sprint("order ", at))})["Item"], item)
		}
	})
	t.Run("several expressions of one request in any order", func(t *testing.T) {
		for range 20 {
			found := call(t, s.client, "Query", Object{
				"TableName": "scores", "KeyConditionExpression": "game = :g", "FilterExpression": "attribute_not_exists(absent)", "ProjectionExpression": "player",
				"ExpressionAttributeValues": Object{":g": Object{"S": "go"}}, "Limit": 2,
			})
			same(t, found["Items"], []any{Object{"player": Object{"S": "abe"}}, Object{"player": Object{"S": "ada"}}})
		}
	})
	t.Run("a select that was not asked for is none", func(t *testing.T) {
		// The client for the SDK v2 always says ALL_ATTRIBUTES, also with a projection and of an index that has not all.
		for _, how := range []Object{{"ProjectionExpression": "player"}, {"IndexName": "names", "ProjectionExpression": "player"}, {"IndexName": "names"}} {
			call(t, s.client, "Scan", with(Object{"TableName": "scores"}, how))
		}
		call(t, s.client, "Query", Object{
			"TableName": "scores", "IndexName": "names", "KeyConditionExpression": "country = :c", "ExpressionAttributeValues": Object{":c": Object{"S": "at"}},
		})
	})
	t.Run("a connection goes on after an error", func(t *testing.T) {
		client := s.dial(t, How{Endpoint: s.node.DAX})
		s.warm(t, client)
		before := s.node.counter(t, `forebay_client_connections{protocol="dax"}`)
		for range 50 {
			fails(t, client, "PutItem", Object{"TableName": "things", "Item": id("never"), "ConditionExpression": "attribute_exists(id)"}, "ConditionalCheckFailedException")
		}
		if after := s.node.counter(t, `forebay_client_connections{protocol="dax"}`); after > before+3*nodes(t) {
			t.Fatalf("%v connections became %v", before, after)
		}
	})
	t.Run("a request that is given up half-way costs nobody else anything", func(t *testing.T) {
		// Of a table it does not know, the client begins an update, asks what it is, and sends no more: it waits for its own deadline.
		client := s.dial(t, How{Endpoint: s.node.DAX})
		nowhere := Object{"TableName": "nowhere", "Key": id("x")}
		for operation, input := range map[string]Object{
			"UpdateItem": nowhere, "DeleteItem": nowhere, "TransactWriteItems": {"TransactItems": []any{Object{"Delete": nowhere}}},
		} {
			if answer, err := tryFor(300*time.Millisecond, client, operation, input); err == nil {
				t.Errorf("%s of a table that is not there: %v", operation, answer)
			}
		}
		s.warm(t, client)
	})
	t.Run("many at once", func(t *testing.T) {
		client := s.dial(t, How{Endpoint: s.node.DAX})
		shape := func(at int) string { return fmt.Sprint("list", at%4) }
		// Requests that need one definition all at once bar each other's way to a connection, for good: that is the client's own
		// doing, so it learns what it will need before.
		for at := range 4 {
			call(t, client, "PutItem", Object{"TableName": "things", "Item": shaped("many", shape(at))})
			call(t, client, "GetItem", Object{"TableName": "things", "Key": id("many")})
		}
		var group sync.WaitGroup
		for writer := range 32 {
			group.Add(1)
			go func() {
				defer group.Done()
				for at := range 20 {
					item := shaped(fmt.Sprint("many ", writer), shape(at))
					if _, err := try(client, "PutItem", Object{"TableName": "things", "Item": item}); err != nil {
						t.Error(err)
						return
					}
					found, err := try(client, "GetItem", Object{"TableName": "things", "Key": id(fmt.Sprint("many ", writer))})
					if err != nil || !isSame(found["Item"], item) {
						t.Errorf("wrote %v, read %v, %v", item, found, err)
						return
					}
				}
			}()
		}
		group.Wait()
	})
}
