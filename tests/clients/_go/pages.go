package dax

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"
)

// players in the table that the pages are of.
const players = 60

func player(at int) string { return fmt.Sprintf("p%03d", at) }

// named gathers the names of the players of items.
func named(items []any) []string {
	names := make([]string, len(items))
	for at, item := range items {
		names[at] = item.(Object)["player"].(Object)["S"].(string)
	}
	return names
}

func inOrder(names []string) []string {
	sort.Strings(names)
	return names
}

func (s *suite) pages(t *testing.T) {
	board := s.node.table(t, "scores", "board")
	all := make([]string, players)
	for from := 0; from < players; from += 20 {
		writes := []any{}
		for at := from; at < from+20; at++ {
			all[at] = player(at)
			writes = append(writes, Object{"PutRequest": Object{"Item": Object{
				"game": Object{"S": "go"}, "player": Object{"S": player(at)}, "points": Object{"N": fmt.Sprint((at * 7) % players)},
				"country": Object{"S": "at"}, "title": Object{"S": fmt.Sprint("t", at)},
			}}})
		}
		call(t, s.client, "BatchWriteItem", Object{"RequestItems": Object{board: writes}})
	}
	of := Object{"TableName": board, "KeyConditionExpression": "game = :g", "ExpressionAttributeValues": Object{":g": Object{"S": "go"}}}
	for _, limit := range []int{1, 7, players, 1000} {
		t.Run(fmt.Sprint("a query in pages of ", limit), func(t *testing.T) {
			same(t, named(s.walk(t, "Query", with(of, Object{"Limit": limit}))), all)
		})
		t.Run(fmt.Sprint("a scan in pages of ", limit), func(t *testing.T) {
			same(t, inOrder(named(s.walk(t, "Scan", Object{"TableName": board, "Limit": limit}))), all)
		})
	}
	t.Run("a query of an index in pages, both ways", func(t *testing.T) {
		for index, key := range map[string]string{"by_points": "game", "by_country": "country", "names": "country"} {
			of := Object{
				"TableName": board, "IndexName": index, "KeyConditionExpression": key + " = :k", "Limit": 7,
				"ExpressionAttributeValues": Object{":k": Object{"S": map[string]string{"game": "go", "country": "at"}[key]}},
			}
			there := named(s.walk(t, "Query", of))
			same(t, inOrder(append([]string{}, there...)), all)
			back := named(s.walk(t, "Query", with(of, Object{"ScanIndexForward": false})))
			for at := range there {
				if there[at] != back[len(back)-1-at] {
					t.Fatalf("%s: forward and backward differ", index)
				}
			}
			same(t, inOrder(named(s.walk(t, "Scan", Object{"TableName": board, "IndexName": index, "Limit": 11}))), all)
		}
	})
	t.Run("projected pages", func(t *testing.T) {
		found := s.walk(t, "Query", with(of, Object{"Limit": 9, "ProjectionExpression": "player"}))
		same(t, found[players-1], Object{"player": Object{"S": player(players - 1)}})
		same(t, named(found), all)
	})
	for _, segments := range []int{1, 3, 8} {
		t.Run(fmt.Sprint(segments, " segments share out the table"), func(t *testing.T) {
			found := make([][]any, segments)
			var group sync.WaitGroup
			for segment := range segments {
				group.Add(1)
				go func() {
					defer group.Done()
					found[segment] = s.walk(t, "Scan", Object{"TableName": board, "Segment": segment, "TotalSegments": segments, "Limit": 5})
				}()
			}
			group.Wait()
			together := []any{}
			for _, part := range found {
				together = append(together, part...)
			}
			same(t, inOrder(named(together)), all)
		})
	}
	t.Run("a page ends at a megabyte", func(t *testing.T) {
		s.node.create(t, Object{
			"TableName": "megabytes", "BillingMode": "PAY_PER_REQUEST",
			"KeySchema":            []any{Object{"AttributeName": "h", "KeyType": "HASH"}, Object{"AttributeName": "r", "KeyType": "RANGE"}},
			"AttributeDefinitions": []any{Object{"AttributeName": "h", "AttributeType": "S"}, Object{"AttributeName": "r", "AttributeType": "N"}},
		})
		for at := range 11 {
			call(t, s.client, "PutItem", Object{"TableName": "megabytes", "Item": Object{
				"h": Object{"S": "x"}, "r": Object{"N": fmt.Sprint(at)}, "text": Object{"S": strings.Repeat("t", 200_000)},
			}})
		}
		of := Object{"TableName": "megabytes", "KeyConditionExpression": "h = :h", "ExpressionAttributeValues": Object{":h": Object{"S": "x"}}}
		page := call(t, s.client, "Query", of)
		same(t, page["Count"], 6)
		page = call(t, s.client, "Query", with(of, Object{"ExclusiveStartKey": page["LastEvaluatedKey"]}))
		same(t, page["Count"], 5)
	})
	t.Run("keys of a batch that do not fit into 16 MB come back unprocessed", func(t *testing.T) {
		keys := []any{}
		for at := range 45 {
			key := id(fmt.Sprint("bulky ", at))
			keys = append(keys, key)
			call(t, s.client, "PutItem", Object{"TableName": "things", "Item": with(key, Object{"text": Object{"S": strings.Repeat("t", 399_000)}})})
		}
		seen, wanted := 0, Object{"things": Object{"Keys": keys, "ConsistentRead": true}}
		for range 2 {
			answer := call(t, s.client, "BatchGetItem", Object{"RequestItems": wanted})
			seen += len(answer["Responses"].(Object)["things"].([]any))
			wanted, _ = answer["UnprocessedKeys"].(Object)
		}
		if seen != 45 || len(wanted) != 0 {
			t.Fatalf("%d of 45 in two rounds, left over %v", seen, wanted)
		}
		for _, key := range keys {
			call(t, s.client, "DeleteItem", Object{"TableName": "things", "Key": key})
		}
	})
}
