// Package dax tests DAX clients for Go against a node: all that is the same for them, whatever the types of their SDK.
//
// A client is spoken to in DynamoDB's JSON and answers in it; each suite brings an adapter that makes its SDK's types of it.
// The cases are those in ../_dax, which the suites of all languages share.
package dax

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// Object is a JSON object: a request, an answer, an item.
type Object = map[string]any

// Client is a client under test.
type Client interface {
	// Call runs an operation of the API. An error of the service is a *Failure.
	Call(ctx context.Context, operation string, input Object) (Object, error)
	Close() error
}

// Failure is an error of the service, as the client shows it.
type Failure struct {
	// Code is the error's name.
	Code string
	// Message is the error's message, without what a client puts before it.
	Message string
	// Reasons tell why a transaction was cancelled, item by item.
	Reasons []any
}

func (f *Failure) Error() string { return fmt.Sprintf("%s: %s %v", f.Code, f.Message, f.Reasons) }

// How a client is to be made.
type How struct {
	Endpoint string
	// Key gives an access key and its secret whenever the client asks.
	Key func() (id, secret string)
	// Retries after the first try.
	Retries int
	// NoHealthChecks keeps the client from replacing its connections, and forgetting what it learned, when a node is away.
	NoHealthChecks bool
}

// Dial makes a client.
type Dial func(How) (Client, error)

// Traits are what clients do differently.
type Traits struct {
	// EndsReachTheCaller says that a request which finds its connection closed fails, instead of taking another.
	EndsReachTheCaller bool
	// InReadme says that the README's snippet is of this client.
	InReadme bool
}

// Anybody is who calls where nobody asks.
func Anybody() (id, secret string) { return "local", "local" }

// patience with one request.
const patience = 20 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dial makes a client that is closed with the test.
func (s *suite) dial(t *testing.T, how How) Client {
	t.Helper()
	if how.Key == nil {
		how.Key = Anybody
	}
	client, err := s.connect(how)
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// call runs an operation that must succeed.
func call(t *testing.T, client Client, operation string, input Object) Object {
	t.Helper()
	output, err := try(client, operation, input)
	if err != nil {
		t.Fatalf("%s %v: %v", operation, input, err)
	}
	return output
}

// fails runs an operation that must be refused with this error.
func fails(t *testing.T, client Client, operation string, input Object, code string) *Failure {
	t.Helper()
	output, err := try(client, operation, input)
	var failure *Failure
	if !errors.As(err, &failure) {
		t.Fatalf("%s %v: wanted %s, got %v, %v", operation, input, code, output, err)
	}
	if failure.Code != code {
		t.Fatalf("%s %v: wanted %s, got %v", operation, input, code, failure)
	}
	return failure
}

func try(client Client, operation string, input Object) (Object, error) {
	return tryFor(patience, client, operation, input)
}

func tryFor(patience time.Duration, client Client, operation string, input Object) (Object, error) {
	within, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return client.Call(within, operation, input)
}
