package dax

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// step is one call of a flow: what it is given, and what it must give or how it must fail.
type step struct {
	Call    string
	With    Object
	Gives   Object
	Any     []string
	Fails   string
	Message string
	Reasons []any
}

func (s *suite) flows(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "_dax", "flows", "*.json"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("there are no flows")
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for _, flow := range cases[[]struct {
			Name  string
			Calls []step
		}](t, filepath.Join("flows", name)) {
			t.Run(flow.Name, func(t *testing.T) {
				for at, step := range flow.Calls {
					ok := t.Run(fmt.Sprint(at, " ", step.Call), func(t *testing.T) { s.take(t, step) })
					if !ok {
						return
					}
				}
			})
		}
	}
}

func (s *suite) take(t *testing.T, step step) {
	if step.Fails != "" {
		failure := fails(t, s.client, step.Call, step.With, step.Fails)
		if step.Message != "" && failure.Message != step.Message {
			t.Fatalf("found  %q\nwanted %q", failure.Message, step.Message)
		}
		if step.Reasons != nil {
			same(t, failure.Reasons, step.Reasons)
		}
		return
	}
	answer := said(call(t, s.client, step.Call, step.With))
	for _, name := range step.Any {
		delete(answer, name)
	}
	if step.Gives != nil {
		same(t, answer, said(step.Gives))
	}
}

func (s *suite) errors(t *testing.T) {
	t.Run("overload is told as throttling", func(t *testing.T) {
		node := newNode(t, "dax.max_requests_in_flight=0")
		node.table(t, "things", "things")
		client := s.dial(t, How{Endpoint: node.DAX, Retries: 1})
		fails(t, client, "GetItem", Object{"TableName": "things", "Key": id("x")}, "ThrottlingException")
		fails(t, client, "PutItem", Object{"TableName": "things", "Item": id("x")}, "ThrottlingException")
	})
	call(t, s.client, "PutItem", Object{"TableName": "things", "Item": with(id("error"), Object{"s": Object{"S": "text"}, "m": Object{"M": Object{}}})})
	for _, wrong := range cases[[]struct {
		Name, Operation string
		Params          Object
		Code, Message   string
	}](t, "errors") {
		t.Run(wrong.Name, func(t *testing.T) {
			failure := fails(t, s.client, wrong.Operation, wrong.Params, wrong.Code)
			if failure.Message != wrong.Message {
				t.Fatalf("found  %q\nwanted %q", failure.Message, wrong.Message)
			}
			// The connection goes on.
			s.warm(t, s.client)
		})
	}
}
