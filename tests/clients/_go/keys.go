package dax

import (
	"fmt"
	"testing"
)

// kindKeys are keys of one type, each in all its spellings, in their order, and those that begin as one of them does.
type kindKeys struct {
	Ascending [][]string
	Prefix    struct {
		Of    string
		Found []string
	}
}

func (s *suite) keys(t *testing.T) {
	all := cases[map[string]kindKeys](t, "keys")
	t.Run("a tiny range key is the same as over HTTP", func(t *testing.T) {
		table := s.keyTable(t, "S", "N")
		key := Object{"h": Object{"S": "tiny"}, "r": Object{"N": tiny}}
		call(t, s.client, "PutItem", Object{"TableName": table, "Item": key})
		same(t, s.node.over(t, "GetItem", Object{"TableName": table, "Key": key})["Item"], key)
		same(t, call(t, s.client, "GetItem", Object{"TableName": table, "Key": key})["Item"], key)
	})
	for kind, keys := range all {
		t.Run("hash keys of type "+kind, func(t *testing.T) {
			table := s.keyTable(t, kind, "")
			for at, spellings := range keys.Ascending {
				for n, spelling := range spellings {
					key := Object{"h": Object{kind: spelling}}
					written := with(key, Object{"at": Object{"N": fmt.Sprint(at)}, "n": Object{"N": fmt.Sprint(n)}})
					call(t, s.client, "PutItem", Object{"TableName": table, "Item": written})
				}
				// All spellings are one key, whose last write stands.
				for _, spelling := range spellings {
					key := Object{"h": Object{kind: spelling}}
					wanted := with(key, Object{"at": Object{"N": fmt.Sprint(at)}, "n": Object{"N": fmt.Sprint(len(spellings) - 1)}})
					same(t, call(t, s.client, "GetItem", Object{"TableName": table, "Key": key})["Item"], wanted)
					same(t, first(call(t, s.client, "Query", Object{
						"TableName": table, "KeyConditionExpression": "h = :h", "ExpressionAttributeValues": Object{":h": key["h"]},
					}), "Items"), wanted)
				}
			}
			scanned := call(t, s.client, "Scan", Object{"TableName": table})
			same(t, scanned["Count"], len(keys.Ascending))
			walk := s.walk(t, "Scan", Object{"TableName": table, "Limit": 3})
			if len(walk) != len(keys.Ascending) {
				t.Fatalf("a walk saw %d of %d keys", len(walk), len(keys.Ascending))
			}
		})
		for hash := range all {
			t.Run("range keys of type "+kind+" under hash keys of type "+hash, func(t *testing.T) {
				s.rangeKeys(t, hash, kind, all[hash].Ascending[len(all[hash].Ascending)-2][0], keys)
			})
		}
	}
}

// tiny is a number whose exponent these clients read wrong where it is a range key: they take its 32 bits for 64.
const tiny = "1E-100"

func (s *suite) rangeKeys(t *testing.T, hash, kind, hashValue string, keys kindKeys) {
	table := s.keyTable(t, hash, kind)
	partition := Object{hash: hashValue}
	readable := [][]string{}
	for _, spellings := range keys.Ascending {
		if kind != "N" || spellings[0] != tiny {
			readable = append(readable, spellings)
		}
	}
	keys.Ascending = readable
	// Written from the end, in batches: they must come back from the beginning.
	for at := len(keys.Ascending) - 1; at >= 0; at-- {
		for n, spelling := range keys.Ascending[at] {
			call(t, s.client, "BatchWriteItem", Object{"RequestItems": Object{table: []any{Object{"PutRequest": Object{"Item": Object{
				"h": partition, "r": Object{kind: spelling}, "n": Object{"N": fmt.Sprint(n)},
			}}}}}})
		}
	}
	wanted := make([]any, len(keys.Ascending))
	for at, spellings := range keys.Ascending {
		wanted[at] = Object{"h": partition, "r": Object{kind: spellings[0]}, "n": Object{"N": fmt.Sprint(len(spellings) - 1)}}
	}
	of := Object{"TableName": table, "KeyConditionExpression": "h = :h", "ExpressionAttributeValues": Object{":h": partition}}
	same(t, call(t, s.client, "Query", of)["Items"], wanted)
	same(t, s.walk(t, "Query", with(of, Object{"Limit": 2})), wanted)
	reversed := make([]any, len(wanted))
	for at := range wanted {
		reversed[len(wanted)-1-at] = wanted[at]
	}
	same(t, s.walk(t, "Query", with(of, Object{"Limit": 3, "ScanIndexForward": false})), reversed)
	for at, spellings := range keys.Ascending {
		last := spellings[len(spellings)-1]
		key := Object{"h": partition, "r": Object{kind: last}}
		same(t, call(t, s.client, "GetItem", Object{"TableName": table, "Key": key})["Item"], wanted[at])
		above := call(t, s.client, "Query", Object{
			"TableName": table, "KeyConditionExpression": "h = :h AND r > :r", "Select": "COUNT",
			"ExpressionAttributeValues": Object{":h": partition, ":r": key["r"]},
		})
		same(t, above["Count"], len(wanted)-1-at)
	}
	if keys.Prefix.Of == "" {
		return
	}
	begun := call(t, s.client, "Query", Object{
		"TableName": table, "KeyConditionExpression": "h = :h AND begins_with(r, :r)",
		"ExpressionAttributeValues": Object{":h": partition, ":r": Object{kind: keys.Prefix.Of}},
	})
	found := []any{}
	for _, item := range begun["Items"].([]any) {
		found = append(found, item.(Object)["r"].(Object)[kind])
	}
	same(t, found, anys(keys.Prefix.Found))
}

func anys(texts []string) []any {
	found := make([]any, len(texts))
	for at, one := range texts {
		found[at] = one
	}
	return found
}

var keyTables int

// keyTable makes a table with a hash key `h` and, unless its type is left out, a range key `r`.
func (s *suite) keyTable(t *testing.T, hash, kind string) string {
	keyTables++
	name := fmt.Sprint("keys-", hash, kind, keyTables)
	schema := []any{Object{"AttributeName": "h", "KeyType": "HASH"}}
	attributes := []any{Object{"AttributeName": "h", "AttributeType": hash}}
	if kind != "" {
		schema = append(schema, Object{"AttributeName": "r", "KeyType": "RANGE"})
		attributes = append(attributes, Object{"AttributeName": "r", "AttributeType": kind})
	}
	s.node.create(t, Object{"TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": schema, "AttributeDefinitions": attributes})
	return name
}

// walk gathers the items of all pages.
func (s *suite) walk(t *testing.T, operation string, input Object) []any {
	t.Helper()
	return s.walkWith(t, s.client, operation, input)
}

func (s *suite) walkWith(t *testing.T, client Client, operation string, input Object) []any {
	t.Helper()
	all := []any{}
	for pages := 0; ; pages++ {
		if pages > 1000 {
			t.Fatal("the pages have no end")
		}
		page := call(t, client, operation, input)
		if items, ok := page["Items"].([]any); ok {
			all = append(all, items...)
		}
		next, _ := page["LastEvaluatedKey"].(Object)
		if len(next) == 0 {
			return all
		}
		input = with(input, Object{"ExclusiveStartKey": next})
	}
}
