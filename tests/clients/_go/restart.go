package dax

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// shaped is an item with these attributes; what each holds tells its name.
func shaped(name string, attributes ...string) Object {
	item := id(name)
	for _, attribute := range attributes {
		item[attribute] = Object{"S": "this is " + attribute}
	}
	return item
}

// settle lets a client meet the ends of the connections it had. It must not take it more requests than it had connections.
func (s *suite) settle(t *testing.T, client Client) {
	t.Helper()
	if !s.traits.EndsReachTheCaller {
		return
	}
	for range 3 {
		if _, err := try(client, "GetItem", Object{"TableName": "things", "Key": id("x")}); err == nil {
			return
		}
	}
	s.warm(t, client)
}

// What is at stake are the numbers of attribute lists. The client has learned, for this node's address, which number stands for
// which attribute names, and never forgets it: a node that did would break that client, or mislabel attributes without a word.
func (s *suite) restart(t *testing.T) {
	shapes := [][]string{{"a"}, {"b"}, {"a", "b"}, {"name", "owner", "value"}, {"value"}, {}}
	for name, end := range map[string]func(*Node, *testing.T){"a graceful stop": (*Node).stop, "kill -9": (*Node).kill} {
		t.Run("what the client has learned stays true after "+name, func(t *testing.T) {
			node := newNode(t)
			node.table(t, "things", "things")
			client := s.dial(t, How{Endpoint: node.DAX, Retries: 2, NoHealthChecks: true})
			written := []Object{}
			for at, shape := range shapes {
				item := shaped(fmt.Sprint("before ", at), shape...)
				written = append(written, item)
				call(t, client, "PutItem", Object{"TableName": "things", "Item": item})
				// Half of them are read, so that the client knows those lists in the other direction as well.
				if at%2 == 0 {
					same(t, call(t, client, "GetItem", Object{"TableName": "things", "Key": Object{"id": item["id"]}})["Item"], item)
				}
			}
			for round := range 2 {
				end(node, t)
				node.start(t)
				s.settle(t, client)
				// Others are first to ask for numbers now; none of those the client holds may be among what they get.
				other := s.dial(t, How{Endpoint: node.DAX, Retries: 2})
				for at := range 5 {
					call(t, other, "PutItem", Object{"TableName": "things", "Item": shaped(fmt.Sprint("other ", at), fmt.Sprint("new", round, at))})
				}
				for _, item := range written {
					same(t, call(t, client, "GetItem", Object{"TableName": "things", "Key": Object{"id": item["id"]}})["Item"], item)
					again := with(item, id(fmt.Sprint("again ", round, item["id"])))
					call(t, client, "PutItem", Object{"TableName": "things", "Item": again})
					get := Object{"TableName": "things", "Key": Object{"id": again["id"]}}
					same(t, call(t, client, "GetItem", get)["Item"], again)
					same(t, call(t, other, "GetItem", get)["Item"], again)
					same(t, node.over(t, "GetItem", get)["Item"], again)
				}
			}
		})
	}
	t.Run("a client that was there before its node finds it", func(t *testing.T) {
		node := newNode(t)
		node.table(t, "things", "things")
		node.stop(t)
		client := s.dial(t, How{Endpoint: node.DAX, Retries: 2})
		if _, err := tryFor(time.Second, client, "GetItem", Object{"TableName": "things", "Key": id("x")}); err == nil {
			t.Fatal("an answer without a node")
		}
		node.start(t)
		eventually(t, func() bool {
			_, err := try(client, "GetItem", Object{"TableName": "things", "Key": id("x")})
			return err == nil
		})
	})
	t.Run("large answers that were cut off by a kill are asked for again", func(t *testing.T) {
		node := newNode(t)
		node.table(t, "things", "things")
		client := s.dial(t, How{Endpoint: node.DAX, Retries: 2, NoHealthChecks: true})
		for at := range 8 {
			call(t, client, "PutItem", Object{"TableName": "things", "Item": with(id(fmt.Sprint(at)), Object{"text": Object{"S": strings.Repeat("t", 300_000)}})})
		}
		done := make(chan bool)
		go func() {
			defer close(done)
			for range 50 {
				// Whatever becomes of these, the client must be of use afterwards.
				_, _ = try(client, "Scan", Object{"TableName": "things", "ConsistentRead": true})
			}
		}()
		node.kill(t)
		node.start(t)
		<-done
		s.settle(t, client)
		same(t, len(s.walkWith(t, client, "Scan", Object{"TableName": "things"})), 8)
	})
}
