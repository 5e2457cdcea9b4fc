package dax

import (
	"fmt"
	"testing"
)

// filled puts the placeholders of a case into a request.
func filled(input Object, names, values Object) Object {
	if names != nil {
		input["ExpressionAttributeNames"] = names
	}
	if values != nil {
		input["ExpressionAttributeValues"] = values
	}
	return input
}

func (s *suite) expressions(t *testing.T) {
	document := cases[Object](t, "document")
	call(t, s.client, "PutItem", Object{"TableName": "things", "Item": document})
	key := Object{"id": document["id"]}
	for _, condition := range cases[[]struct {
		Holds         bool
		Expression    string
		Names, Values Object
	}](t, "conditions") {
		t.Run(condition.Expression, func(t *testing.T) {
			conditional := func(input Object) Object {
				return filled(with(input, Object{"TableName": "things", "ConditionExpression": condition.Expression}), condition.Names, condition.Values)
			}
			check := func(operation string, input Object) {
				t.Helper()
				if condition.Holds {
					call(t, s.client, operation, input)
				} else {
					fails(t, s.client, operation, input, "ConditionalCheckFailedException")
				}
			}
			check("PutItem", conditional(Object{"Item": document}))
			check("UpdateItem", conditional(Object{"Key": key}))
			transaction := Object{"TransactItems": []any{Object{"ConditionCheck": conditional(Object{"Key": key})}}}
			if condition.Holds {
				call(t, s.client, "TransactWriteItems", transaction)
			} else {
				fails(t, s.client, "TransactWriteItems", transaction, "TransactionCanceledException")
			}
			// As a filter it finds the document, or does not.
			filter := with(condition.Values, Object{":id": key["id"]})
			found := call(t, s.client, "Query", filled(Object{
				"TableName": "things", "KeyConditionExpression": "id = :id", "FilterExpression": condition.Expression, "Select": "COUNT",
			}, condition.Names, filter))
			wanted := 0
			if condition.Holds {
				wanted = 1
			}
			same(t, found["Count"], wanted)
		})
	}
	for at, update := range cases[[]struct {
		Name, Expression             string
		Before, Names, Values, After Object
	}](t, "updates") {
		t.Run(update.Name, func(t *testing.T) {
			key := id(fmt.Sprint("update ", at))
			change := filled(Object{"TableName": "things", "Key": key, "UpdateExpression": update.Expression}, update.Names, update.Values)
			call(t, s.client, "PutItem", Object{"TableName": "things", "Item": with(update.Before, key)})
			answer := call(t, s.client, "UpdateItem", with(change, Object{"ReturnValues": "ALL_NEW"}))
			same(t, answer["Attributes"], with(update.After, key))
			// The same in a transaction.
			call(t, s.client, "PutItem", Object{"TableName": "things", "Item": with(update.Before, key)})
			call(t, s.client, "TransactWriteItems", Object{"TransactItems": []any{Object{"Update": change}}})
			same(t, call(t, s.client, "GetItem", Object{"TableName": "things", "Key": key})["Item"], with(update.After, key))
		})
	}
}
