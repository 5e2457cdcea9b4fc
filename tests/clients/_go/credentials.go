package dax

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it never came to hold")
		}
	}
}

func (s *suite) credentials(t *testing.T) {
	node := newNode(t)
	node.table(t, "things", "things")
	file := filepath.Join(t.TempDir(), "credentials")
	must(t, os.WriteFile(file, []byte("[one]\naws_access_key_id = AKIDONE\naws_secret_access_key = secret one\n[two]\naws_access_key_id = AKIDTWO\naws_secret_access_key = secret two\n"), 0o600))
	node.again(t, "credentials.file="+file)
	key := func(id, secret string) func() (string, string) { return func() (string, string) { return id, secret } }
	get := Object{"TableName": "things", "Key": id("x")}
	t.Run("a right signature", func(t *testing.T) {
		client := s.dial(t, How{Endpoint: node.DAX, Retries: 2, Key: key("AKIDONE", "secret one")})
		call(t, client, "PutItem", Object{"TableName": "things", "Item": id("x")})
		same(t, call(t, client, "GetItem", get)["Item"], id("x"))
		// Errors of the service are its own.
		fails(t, client, "GetItem", Object{"TableName": "nowhere", "Key": id("x")}, "ResourceNotFoundException")
	})
	for name, key := range map[string]func() (string, string){
		"a wrong secret": key("AKIDONE", "secret two"), "a key nobody knows": key("AKIDTHREE", "secret one"),
	} {
		t.Run(name, func(t *testing.T) {
			client, err := s.connect(How{Endpoint: node.DAX, Retries: 1, Key: key})
			if err != nil {
				return
			}
			defer func() { _ = client.Close() }()
			answer, err := try(client, "GetItem", get)
			var failure *Failure
			if err == nil || errors.As(err, &failure) && failure.Code == "ResourceNotFoundException" {
				t.Fatalf("an answer: %v, %v", answer, err)
			}
		})
	}
	t.Run("a client that changes its key in the middle", func(t *testing.T) {
		var turns atomic.Int32
		client := s.dial(t, How{Endpoint: node.DAX, Retries: 2, Key: func() (string, string) {
			if turns.Add(1)%2 == 0 {
				return "AKIDONE", "secret one"
			}
			return "AKIDTWO", "secret two"
		}})
		for range 20 {
			same(t, call(t, client, "GetItem", get)["Item"], id("x"))
		}
	})
}
