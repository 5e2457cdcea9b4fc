package dax

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// A line of a player is a few items.
const lineBytes = 1 << 20

// playing is how long one request may take.
const playing = 3 * time.Second

// Play asks a cluster what standard input says, a request a line, and answers a line each, until the input ends:
//
//	{"operation": "GetItem", "input": {...}}  ->  {"output": {...}} or {"error": {"__type": ..., "message": ...}}
//
// Nothing is tried twice, so that one line is one operation. The first line out is "ready".
func Play(connect Dial, endpoint string) error {
	client, err := connect(How{Endpoint: endpoint, Key: Anybody})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, lineBytes)
	for lines.Scan() {
		var asked struct {
			Operation string `json:"operation"`
			Input     Object `json:"input"`
		}
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		said, err := json.Marshal(played(client, asked.Operation, asked.Input))
		if err != nil {
			return err
		}
		fmt.Println(string(said))
	}
	return lines.Err()
}

func played(client Client, operation string, input Object) Object {
	output, err := tryFor(playing, client, operation, input)
	if err == nil {
		return Object{"output": output}
	}
	// What a client meets by itself when a node is away has no name of the service's.
	body := Object{"__type": "", "message": err.Error()}
	var told *Failure
	if errors.As(err, &told) {
		body = Object{"__type": told.Code, "message": told.Message}
		if told.Reasons != nil {
			body["CancellationReasons"] = told.Reasons
		}
	}
	return Object{"error": body}
}
