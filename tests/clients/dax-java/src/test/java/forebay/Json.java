package forebay;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.SdkField;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.core.traits.ListTrait;
import software.amazon.awssdk.core.traits.MapTrait;
import software.amazon.awssdk.core.util.SdkAutoConstructList;
import software.amazon.awssdk.core.util.SdkAutoConstructMap;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;
import software.amazon.awssdk.protocols.jsoncore.JsonWriter;
import software.amazon.awssdk.utils.builder.Buildable;

/** JSON as maps and lists, and the SDK's types made of it and into it, field by field. */
final class Json {
    private Json() {}

    /** The cases of that name, which the suites of all languages share. */
    static Object cases(String name) {
        try {
            return parse(Files.readString(Path.of("..", "_dax", name + ".json")));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    static Object parse(String text) {
        return plain(JsonNode.parser().parse(text));
    }

    private static Object plain(JsonNode node) {
        if (node.isObject()) {
            Map<String, Object> object = new LinkedHashMap<>();
            node.asObject().forEach((name, inner) -> object.put(name, plain(inner)));
            return object;
        }
        if (node.isArray()) {
            List<Object> list = new ArrayList<>();
            node.asArray().forEach(inner -> list.add(plain(inner)));
            return list;
        }
        return node.isString() ? node.asString() : node.isNumber() ? new BigDecimal(node.asNumber())
                : node.isBoolean() ? node.asBoolean() : null;
    }

    static String text(Object value) {
        JsonWriter writer = JsonWriter.create();
        write(writer, value);
        return new String(writer.getBytes(), java.nio.charset.StandardCharsets.UTF_8);
    }

    private static void write(JsonWriter writer, Object value) {
        if (value == null) {
            writer.writeNull();
        } else if (value instanceof Map<?, ?> object) {
            writer.writeStartObject();
            object.forEach((name, inner) -> {
                writer.writeFieldName((String) name);
                write(writer, inner);
            });
            writer.writeEndObject();
        } else if (value instanceof List<?> list) {
            writer.writeStartArray();
            list.forEach(inner -> write(writer, inner));
            writer.writeEndArray();
        } else if (value instanceof Boolean bool) {
            writer.writeValue(bool);
        } else if (value instanceof Number number) {
            writer.writeValue(new BigDecimal(number.toString()));
        } else {
            writer.writeValue(value.toString());
        }
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object json) {
        return (Map<String, Object>) json;
    }

    @SuppressWarnings("unchecked")
    static List<Object> list(Object json) {
        return (List<Object>) json;
    }

    static Map<String, Object> of(Object... namesAndValues) {
        Map<String, Object> object = new LinkedHashMap<>();
        for (int at = 0; at < namesAndValues.length; at += 2) {
            object.put((String) namesAndValues[at], namesAndValues[at + 1]);
        }
        return object;
    }

    /** An object and what else it has. */
    static Map<String, Object> with(Map<String, Object> object, Object... namesAndValues) {
        Map<String, Object> both = new LinkedHashMap<>(object);
        both.putAll(of(namesAndValues));
        return both;
    }

    static Map<String, Object> with(Map<String, Object> object, Map<String, Object> more) {
        Map<String, Object> both = new LinkedHashMap<>(object);
        both.putAll(more);
        return both;
    }

    static Map<String, Object> id(String name) {
        return of("id", of("S", name));
    }

    /** Fills a builder of the SDK with what JSON says, and builds. */
    static Object build(SdkPojo builder, Map<String, Object> json) {
        Map<String, Object> left = new LinkedHashMap<>(json);
        for (SdkField<?> field : builder.sdkFields()) {
            Object inner = left.remove(field.locationName());
            if (inner != null) {
                field.set(builder, typed(field, inner));
            }
        }
        if (!left.isEmpty()) {
            throw new IllegalArgumentException("the SDK has no fields " + left.keySet());
        }
        return ((Buildable) builder).build();
    }

    private static Object typed(SdkField<?> field, Object json) {
        String type = field.marshallingType().getTargetClass().getSimpleName();
        return switch (type) {
            case "SdkBytes" -> SdkBytes.fromByteArray(Base64.getDecoder().decode((String) json));
            case "Integer" -> ((Number) json).intValue();
            case "List" -> {
                SdkField<?> member = field.getTrait(ListTrait.class).memberFieldInfo();
                yield list(json).stream().map(inner -> typed(member, inner)).toList();
            }
            case "Map" -> {
                SdkField<?> member = field.getTrait(MapTrait.class).valueFieldInfo();
                Map<String, Object> typed = new LinkedHashMap<>();
                object(json).forEach((name, inner) -> typed.put(name, typed(member, inner)));
                yield typed;
            }
            case "SdkPojo" -> build(field.constructor().get(), object(json));
            default -> json;
        };
    }

    /** What the SDK's type says. */
    static Object said(Object typed) {
        if (typed instanceof SdkPojo pojo) {
            Map<String, Object> object = new LinkedHashMap<>();
            for (SdkField<?> field : pojo.sdkFields()) {
                Object inner = field.getValueOrDefault(pojo);
                if (inner != null && !(inner instanceof SdkAutoConstructList) && !(inner instanceof SdkAutoConstructMap)) {
                    object.put(field.locationName(), said(inner));
                }
            }
            return object;
        }
        if (typed instanceof Map<?, ?> map) {
            Map<String, Object> object = new LinkedHashMap<>();
            map.forEach((name, inner) -> object.put((String) name, said(inner)));
            return object;
        }
        if (typed instanceof List<?> list) {
            return new ArrayList<Object>(list.stream().map(Json::said).toList());
        }
        return typed instanceof SdkBytes bytes ? Base64.getEncoder().encodeToString(bytes.asByteArray()) : typed;
    }

    /** Leaves out of an answer what says nothing, which one client sends and another does not. */
    static Map<String, Object> spoken(Object answer) {
        Map<String, Object> left = new LinkedHashMap<>();
        object(answer).forEach((name, inner) -> {
            boolean empty = inner == null || inner instanceof List<?> list && list.isEmpty()
                    || inner instanceof Map<?, ?> map && map.isEmpty() && !name.equals("Item");
            if (!empty) {
                left.put(name, inner);
            }
        });
        return left;
    }

    /** A text that is the same for equal values: numbers by value, sets sorted, and what has no order. */
    static String canonical(Object json) {
        return text(ordered(json));
    }

    private static Object ordered(Object json) {
        if (json instanceof Map<?, ?> map) {
            Map<String, Object> object = object(map);
            if (object.size() == 1) {
                Map.Entry<String, Object> only = object.entrySet().iterator().next();
                if (only.getKey().equals("N") && only.getValue() instanceof String number) {
                    return of("N", number(number));
                }
                if (only.getValue() instanceof List<?> set && List.of("SS", "NS", "BS").contains(only.getKey())) {
                    return of(only.getKey(), set.stream()
                            .map(one -> only.getKey().equals("NS") ? number((String) one) : one.toString()).sorted().toList());
                }
            }
            Map<String, Object> sorted = new TreeMap<>();
            object.forEach((name, inner) -> {
                Object value = ordered(inner);
                if (name.equals("ConsumedCapacity") && value instanceof List<?> list) {
                    value = sorted(list(list));
                }
                if (name.equals("Responses") && value instanceof Map<?, ?> tables) {
                    object(tables).replaceAll((table, items) -> sorted(list(items)));
                }
                if (value != null) {
                    sorted.put(name, value);
                }
            });
            return sorted;
        }
        if (json instanceof List<?> list) {
            return new ArrayList<Object>(list.stream().map(Json::ordered).toList());
        }
        return json instanceof Number number ? number(number.toString()) : json;
    }

    private static List<Object> sorted(List<Object> list) {
        List<Object> sorted = new ArrayList<>(list);
        Collections.sort(sorted, (a, b) -> text(a).compareTo(text(b)));
        return sorted;
    }

    private static String number(String number) {
        return new BigDecimal(number).stripTrailingZeros().toString();
    }
}
