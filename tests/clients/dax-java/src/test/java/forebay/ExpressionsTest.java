package forebay;

import static forebay.Client.same;
import static forebay.Json.id;
import static forebay.Json.list;
import static forebay.Json.object;
import static forebay.Json.of;
import static forebay.Json.with;
import static forebay.Node.CLIENT;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every function and operator of the expression language. */
class ExpressionsTest {
    /** A request with the placeholders of a case. */
    static Map<String, Object> filled(Map<String, Object> input, Object names, Object values) {
        if (names != null) {
            input.put("ExpressionAttributeNames", names);
        }
        if (values != null) {
            input.put("ExpressionAttributeValues", values);
        }
        return input;
    }

    @TestFactory
    Stream<DynamicTest> conditionsAndFilters() {
        Map<String, Object> document = object(Json.cases("document"));
        Map<String, Object> key = of("id", document.get("id"));
        CLIENT.put("things", document);
        return list(Json.cases("conditions")).stream().map(Json::object).map(one -> dynamicTest((String) one.get("expression"), () -> {
            boolean holds = one.get("holds").equals(true);
            Map<String, Object> conditional = filled(of("TableName", "things", "ConditionExpression", one.get("expression")),
                    one.get("names"), one.get("values"));
            check(holds, "PutItem", with(conditional, "Item", document), "ConditionalCheckFailedException");
            check(holds, "UpdateItem", with(conditional, "Key", key), "ConditionalCheckFailedException");
            check(holds, "TransactWriteItems",
                    of("TransactItems", List.of(of("ConditionCheck", with(conditional, "Key", key)))), "TransactionCanceledException");
            // As a filter it finds the document, or does not.
            Map<String, Object> values = of(":id", key.get("id"));
            if (one.get("values") != null) {
                values.putAll(object(one.get("values")));
            }
            same(holds ? 1 : 0, CLIENT.call("Query", filled(of("TableName", "things", "KeyConditionExpression", "id = :id",
                    "FilterExpression", one.get("expression"), "Select", "COUNT"), one.get("names"), values)).get("Count"));
        }));
    }

    static void check(boolean holds, String operation, Map<String, Object> input, String code) {
        if (holds) {
            CLIENT.call(operation, input);
        } else {
            CLIENT.fails(operation, input, code);
        }
    }

    @TestFactory
    Stream<DynamicTest> updates() {
        return list(Json.cases("updates")).stream().map(Json::object).map(one -> dynamicTest((String) one.get("name"), () -> {
            Map<String, Object> key = id("update " + one.get("name"));
            Map<String, Object> change = filled(of("TableName", "things", "Key", key, "UpdateExpression", one.get("expression")),
                    one.get("names"), one.get("values"));
            Map<String, Object> after = with(object(one.get("after")), key);
            CLIENT.put("things", with(object(one.get("before")), key));
            same(after, CLIENT.call("UpdateItem", with(change, "ReturnValues", "ALL_NEW")).get("Attributes"));
            // The same in a transaction.
            CLIENT.put("things", with(object(one.get("before")), key));
            CLIENT.call("TransactWriteItems", of("TransactItems", List.of(of("Update", change))));
            same(after, CLIENT.get("things", key).get("Item"));
        }));
    }
}
