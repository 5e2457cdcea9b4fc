package dax

import (
	"fmt"
	"strings"
	"testing"
)

// everything is an item's worth of attributes of every type.
func everything(t *testing.T) Object {
	written := cases[struct {
		Strings, Binaries, Numbers []string
		Composites                 []Object
		Nameless                   Object
	}](t, "values")
	all := Object{"nameless": written.Nameless}
	for kind, values := range map[string][]string{"S": written.Strings, "B": written.Binaries, "N": written.Numbers} {
		for at, value := range values {
			all[fmt.Sprintf("%s%d", strings.ToLower(kind), at)] = Object{kind: value}
		}
	}
	for at, value := range written.Composites {
		all[fmt.Sprintf("c%d", at)] = value
	}
	return all
}

// read is a way to one item of the table things, whole or projected.
type read struct {
	name string
	item func(t *testing.T, client Client, key Object, how Object) any
}

func first(answer Object, field string) any {
	items, _ := answer[field].([]any)
	if len(items) == 0 {
		return nil
	}
	return items[0]
}

var reads = []read{
	{"GetItem", func(t *testing.T, client Client, key, how Object) any {
		return call(t, client, "GetItem", with(Object{"TableName": "things", "Key": key}, how))["Item"]
	}},
	{"GetItem, consistent", func(t *testing.T, client Client, key, how Object) any {
		return call(t, client, "GetItem", with(Object{"TableName": "things", "Key": key, "ConsistentRead": true}, how))["Item"]
	}},
	{"Query", func(t *testing.T, client Client, key, how Object) any {
		return first(call(t, client, "Query", with(Object{
			"TableName": "things", "KeyConditionExpression": "id = :id", "ExpressionAttributeValues": Object{":id": key["id"]},
		}, how)), "Items")
	}},
	{"Scan", func(t *testing.T, client Client, key, how Object) any {
		return first(call(t, client, "Scan", with(Object{
			"TableName": "things", "FilterExpression": "id = :id", "ExpressionAttributeValues": Object{":id": key["id"]},
		}, how)), "Items")
	}},
	{"BatchGetItem", func(t *testing.T, client Client, key, how Object) any {
		answer := call(t, client, "BatchGetItem", Object{"RequestItems": Object{"things": with(Object{"Keys": []any{key}}, how)}})
		return first(answer["Responses"].(Object), "things")
	}},
	{"TransactGetItems", func(t *testing.T, client Client, key, how Object) any {
		get := Object{"Get": with(Object{"TableName": "things", "Key": key}, how)}
		return first(call(t, client, "TransactGetItems", Object{"TransactItems": []any{get}}), "Responses").(Object)["Item"]
	}},
}

var writes = map[string]func(item Object) Object{
	"PutItem": func(item Object) Object { return Object{"TableName": "things", "Item": item} },
	"UpdateItem": func(item Object) Object {
		sets, names, values := []string{}, Object{}, Object{}
		for name, value := range item {
			if name != "id" {
				sets, names["#"+name], values[":"+name] = append(sets, "#"+name+" = :"+name), name, value
			}
		}
		return Object{
			"TableName": "things", "Key": Object{"id": item["id"]}, "UpdateExpression": "SET " + strings.Join(sets, ", "),
			"ExpressionAttributeNames": names, "ExpressionAttributeValues": values,
		}
	},
	"BatchWriteItem": func(item Object) Object {
		return Object{"RequestItems": Object{"things": []any{Object{"PutRequest": Object{"Item": item}}}}}
	},
	"TransactWriteItems": func(item Object) Object {
		return Object{"TransactItems": []any{Object{"Put": Object{"TableName": "things", "Item": item}}}}
	},
}

func (s *suite) values(t *testing.T) {
	for operation, input := range writes {
		t.Run("every type comes back as it went in by "+operation, func(t *testing.T) {
			written := with(everything(t), id("types by "+operation))
			call(t, s.client, operation, input(written))
			for _, read := range reads {
				same(t, read.item(t, s.client, id("types by "+operation), nil), written)
			}
			// And it is the item that a client of another wire sees.
			same(t, s.node.over(t, "GetItem", Object{"TableName": "things", "Key": id("types by " + operation)})["Item"], written)
		})
	}
	for _, read := range reads {
		t.Run("what was written over HTTP is read by "+read.name, func(t *testing.T) {
			written := with(everything(t), id("over HTTP, "+read.name))
			s.node.over(t, "PutItem", Object{"TableName": "things", "Item": written})
			same(t, read.item(t, s.client, id("over HTTP, "+read.name), nil), written)
		})
	}
	t.Run("numbers at the ends of their range", func(t *testing.T) {
		for at, number := range cases[struct{ Extremes []string }](t, "values").Extremes {
			key := id(fmt.Sprint("extreme ", at))
			written := with(key, Object{"n": Object{"N": number}})
			s.node.over(t, "PutItem", Object{"TableName": "things", "Item": written})
			same(t, reads[0].item(t, s.client, key, nil), written)
			call(t, s.client, "PutItem", Object{"TableName": "things", "Item": written})
			same(t, s.node.over(t, "GetItem", Object{"TableName": "things", "Key": key})["Item"], written)
		}
	})
	t.Run("an item of nearly 400 KB", func(t *testing.T) {
		written := with(id("large"), Object{"text": Object{"S": strings.Repeat("x", 200_000)}, "bytes": Object{"B": strings.Repeat("AAEC", 66_000)}})
		call(t, s.client, "PutItem", Object{"TableName": "things", "Item": written})
		for range 2 {
			same(t, reads[0].item(t, s.client, id("large"), nil), written)
		}
	})
	document := cases[Object](t, "document")
	call(t, s.client, "PutItem", Object{"TableName": "things", "Item": document})
	for _, projection := range cases[[]struct {
		Projection string
		Names      Object
		Item       Object
	}](t, "projections") {
		t.Run("projection "+projection.Projection, func(t *testing.T) {
			how := Object{"ProjectionExpression": projection.Projection}
			if projection.Names != nil {
				how["ExpressionAttributeNames"] = projection.Names
			}
			for _, read := range reads {
				same(t, read.item(t, s.client, Object{"id": document["id"]}, how), projection.Item)
			}
		})
	}
}
