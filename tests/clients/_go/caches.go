package dax

import "testing"

func (s *suite) caches(t *testing.T) {
	table := s.node.table(t, "scores", "cached")
	key := func(player string) Object { return Object{"game": Object{"S": "hot"}, "player": Object{"S": player}} }
	put := func(player string) {
		call(t, s.client, "PutItem", Object{"TableName": table, "Item": with(key(player), Object{"country": Object{"S": "at"}, "points": Object{"N": "1"}})})
	}
	times := func(operation string, input Object, count int) func() {
		return func() {
			for range 10 {
				answer := call(t, s.client, operation, input)
				if count >= 0 {
					same(t, answer["Count"], count)
				}
			}
		}
	}
	put("a")
	put("b")
	t.Run("GetItem", func(t *testing.T) {
		get := Object{"TableName": table, "Key": key("a")}
		s.node.grows(t, hits("item", "GetItem"), 10, times("GetItem", get, -1))
		s.node.grows(t, hits("item", "GetItem"), 10, times("GetItem", with(get, Object{"ProjectionExpression": "points"}), -1))
		s.node.grows(t, hits("item", "GetItem"), 0, times("GetItem", with(get, Object{"ConsistentRead": true}), -1))
	})
	t.Run("an absence", func(t *testing.T) {
		get := Object{"TableName": table, "Key": key("nobody")}
		call(t, s.client, "GetItem", get)
		s.node.growsByPages(t, hits("item", "GetItem"), 10, 1, times("GetItem", get, -1))
		put("nobody")
		if call(t, s.client, "GetItem", get)["Item"] == nil {
			t.Fatal("what was written is still absent")
		}
		call(t, s.client, "DeleteItem", get)
		same(t, said(call(t, s.client, "GetItem", get)), Object{})
	})
	t.Run("BatchGetItem", func(t *testing.T) {
		batch := Object{"RequestItems": Object{table: Object{"Keys": []any{key("a"), key("b")}}}}
		s.node.grows(t, hits("item", "BatchGetItem"), 20, times("BatchGetItem", batch, -1))
	})
	query := func(more Object) Object {
		return with(Object{"TableName": table, "KeyConditionExpression": "game = :g", "ExpressionAttributeValues": Object{":g": Object{"S": "hot"}}}, more)
	}
	inCountry := func(index string) Object {
		return Object{"TableName": table, "IndexName": index, "KeyConditionExpression": "country = :c", "ExpressionAttributeValues": Object{":c": Object{"S": "at"}}}
	}
	for name, input := range map[string]Object{
		"Query": query(nil), "Query of a page": query(Object{"Limit": 2}), "Query of a projection": query(Object{"ProjectionExpression": "player"}),
		"Query of a local index": query(Object{"IndexName": "by_points"}), "Query of a global index": inCountry("by_country"),
		"Query of a sparse projection": inCountry("names"),
	} {
		t.Run(name, func(t *testing.T) {
			call(t, s.client, "Query", input)
			s.node.growsByPages(t, "forebay_query_cache_hits_total", 10, 1, times("Query", input, 2))
		})
	}
	for name, input := range map[string]Object{
		"Scan": {"TableName": table}, "Scan of an index": {"TableName": table, "IndexName": "by_points"},
		"Scan of a segment": {"TableName": table, "Segment": 0, "TotalSegments": 1},
	} {
		t.Run(name, func(t *testing.T) {
			call(t, s.client, "Scan", input)
			s.node.growsByPages(t, "forebay_scan_cache_hits_total", 10, 1, times("Scan", input, 2))
		})
	}
	t.Run("a query sees the write before it", func(t *testing.T) {
		seen := func(wanted int) {
			t.Helper()
			for _, input := range []Object{query(nil), query(Object{"IndexName": "by_points"}), inCountry("by_country"), inCountry("names")} {
				same(t, call(t, s.client, "Query", input)["Count"], wanted)
			}
			same(t, call(t, s.client, "Scan", Object{"TableName": table})["Count"], wanted)
		}
		seen(2)
		put("c")
		seen(3)
		call(t, s.client, "DeleteItem", Object{"TableName": table, "Key": key("c")})
		seen(2)
		call(t, s.client, "BatchWriteItem", Object{"RequestItems": Object{table: []any{
			Object{"PutRequest": Object{"Item": with(key("d"), Object{"country": Object{"S": "at"}, "points": Object{"N": "4"}})}},
		}}})
		seen(3)
		call(t, s.client, "TransactWriteItems", Object{"TransactItems": []any{Object{"Delete": Object{"TableName": table, "Key": key("d")}}}})
		seen(2)
		call(t, s.client, "UpdateItem", Object{"TableName": table, "Key": key("a"), "UpdateExpression": "REMOVE country, points"})
		same(t, call(t, s.client, "Query", inCountry("names"))["Count"], 1)
		same(t, call(t, s.client, "Query", query(Object{"IndexName": "by_points"}))["Count"], 1)
	})
}
