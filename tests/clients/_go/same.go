package dax

import (
	"encoding/json"
	"fmt"
	"math/big"
	"sort"
	"strings"
	"testing"
)

// plain is a value in a form in which equal ones are the same text: numbers by value, sets sorted, and what has no order.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		if len(value) == 1 {
			for kind, inner := range value {
				switch inner := inner.(type) {
				case string:
					if kind == "N" {
						return map[string]any{"N": number(inner)}
					}
				case []any:
					if kind == "NS" || kind == "SS" || kind == "BS" {
						return map[string]any{kind: set(kind, inner)}
					}
				}
			}
		}
		plainly := map[string]any{}
		for name, inner := range value {
			inner := plain(inner)
			if list, ok := inner.([]any); ok && name == "ConsumedCapacity" {
				sorted(list)
			}
			if tables, ok := inner.(map[string]any); ok && name == "Responses" {
				for _, items := range tables {
					sorted(items.([]any))
				}
			}
			if inner != nil {
				plainly[name] = inner
			}
		}
		return plainly
	case []any:
		list := make([]any, len(value))
		for at, inner := range value {
			list[at] = plain(inner)
		}
		return list
	case int, int32, int64, float64:
		return fmt.Sprint(value)
	default:
		return value
	}
}

func set(kind string, elements []any) []any {
	plainly := make([]any, len(elements))
	for at, element := range elements {
		plainly[at] = element
		if kind == "NS" {
			plainly[at] = number(element.(string))
		}
	}
	sorted(plainly)
	return plainly
}

func sorted(list []any) {
	sort.Slice(list, func(a, b int) bool { return text(list[a]) < text(list[b]) })
}

// number is the shortest exact text of a number: clients print 1.5 as they please.
func number(written string) string {
	exact, ok := new(big.Rat).SetString(written)
	if !ok {
		return "no number: " + written
	}
	return exact.RatString()
}

func text(value any) string {
	written, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(written)
}

// said leaves out of an answer what says nothing, which one client sends and another does not.
func said(answer Object) Object {
	left := Object{}
	for name, field := range answer {
		switch field := field.(type) {
		case nil:
		case []any:
			if len(field) > 0 {
				left[name] = field
			}
		case map[string]any:
			if len(field) > 0 || name == "Item" {
				left[name] = field
			}
		default:
			left[name] = field
		}
	}
	return left
}

func isSame(left, right any) bool { return text(plain(left)) == text(plain(right)) }

func same(t *testing.T, found, wanted any) {
	t.Helper()
	if found, wanted := text(plain(found)), text(plain(wanted)); found != wanted {
		t.Fatalf("found  %s\nwanted %s", clipped(found), clipped(wanted))
	}
}

func clipped(written string) string {
	if len(written) > 4000 {
		return written[:4000] + strings.Repeat(".", 3)
	}
	return written
}
