package dax

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// suite is what all tests share: how to make a client, one that is made already, and the node it talks to.
type suite struct {
	connect Dial
	traits  Traits
	client  Client
	node    *Node
}

// Run tests the client that connect makes. The addresses of the shared node and the binary come from the environment.
func Run(t *testing.T, connect Dial, traits Traits) {
	node := &Node{HTTP: os.Getenv("FOREBAY_ENDPOINT"), DAX: os.Getenv("FOREBAY_DAX"), Admin: os.Getenv("FOREBAY_ADMIN")}
	s := &suite{connect: connect, traits: traits, node: node}
	s.client = s.dial(t, How{Endpoint: node.DAX, Retries: 2})
	node.table(t, "things", "things")
	node.table(t, "scores", "scores")
	idle := s.dial(t, How{Endpoint: node.DAX, NoHealthChecks: true})
	s.warm(t, idle)
	t.Run("values", s.values)
	t.Run("keys", s.keys)
	t.Run("expressions", s.expressions)
	t.Run("flows", s.flows)
	t.Run("errors", s.errors)
	t.Run("pages", s.pages)
	t.Run("caches", s.caches)
	t.Run("rules", s.rules)
	t.Run("credentials", s.credentials)
	t.Run("restart", s.restart)
	t.Run("tls", s.tls)
	if traits.InReadme {
		t.Run("the README's snippet prints the item", s.readme)
	}
	t.Run("an idle connection is never closed", func(t *testing.T) {
		// No retry would hide it: this client made its connection when all began.
		s.warm(t, idle)
	})
	t.Run("nothing that arrived was malformed", func(t *testing.T) {
		if bad := node.counter(t, `forebay_malformed_frames_total{protocol="dax"}`); bad != 0 {
			t.Fatalf("%v frames were malformed", bad)
		}
	})
}

// warm makes a client do something.
func (s *suite) warm(t *testing.T, client Client) {
	t.Helper()
	same(t, said(call(t, client, "GetItem", Object{"TableName": "things", "Key": id("nobody")})), Object{})
}

// cases reads the cases of that name, which the suites of all languages share.
func cases[T any](t *testing.T, name string) (found T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "_dax", name+".json"))
	must(t, err)
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return found
}

// id is a key of the table things, or the beginning of an item of it.
func id(name string) Object { return Object{"id": Object{"S": name}} }

// with is an item and what else it has.
func with(item Object, more Object) Object {
	both := Object{}
	for name, value := range item {
		both[name] = value
	}
	for name, value := range more {
		both[name] = value
	}
	return both
}
