package dax

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Node is a running node: the one all tests share, or one of a test's own.
type Node struct {
	// HTTP, DAX, DAXS and Admin are the addresses it serves at; empty where it does not.
	HTTP, DAX, DAXS, Admin string
	settings               []string
	folder                 string
	process                *exec.Cmd
	log                    *bytes.Buffer
}

// startPatience is for a node that starts or stops, which takes it well under a second.
const startPatience = 30 * time.Second

// newNode starts a node with its data in a folder of its own. Its ports are free ones, and the same after a restart.
func newNode(t *testing.T, settings ...string) *Node {
	t.Helper()
	node := &Node{settings: settings, folder: t.TempDir()}
	t.Cleanup(func() {
		if node.process != nil {
			node.end(t, syscall.SIGKILL)
		}
	})
	node.start(t)
	return node
}

func port(address string) string {
	if address == "" {
		return "0"
	}
	return address[strings.LastIndexByte(address, ':')+1:]
}

func (n *Node) start(t *testing.T) {
	t.Helper()
	args := []string{
		"dev", "--data", filepath.Join(n.folder, "data"), "--http-port", port(n.HTTP), "--dax-port", port(n.DAX),
		"--dax-tls-port", port(n.DAXS), "--grpc-port", "0", "--admin-port", port(n.Admin),
	}
	for _, setting := range n.settings {
		args = append(args, "--set", setting)
	}
	n.process, n.log = exec.Command(os.Getenv("FOREBAY_BIN"), args...), &bytes.Buffer{}
	n.process.Stderr = n.log
	output, err := n.process.StdoutPipe()
	must(t, err)
	must(t, n.process.Start())
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 2 {
			continue
		}
		switch fields[0] {
		case "http", "https":
			n.HTTP = fields[1]
		case "dax":
			n.DAX = fields[1]
		case "daxs":
			n.DAXS = fields[1]
		case "admin":
			n.Admin = fields[1]
		}
		if fields[0] == "data" {
			break
		}
	}
	// Read to the end, so that the node never blocks on a full pipe.
	go func() { _, _ = io.Copy(io.Discard, output) }()
	until := time.Now().Add(startPatience)
	for {
		answer, err := http.Get(n.Admin + "/ready")
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(until) {
			t.Fatalf("the node is not ready: %v\n%s", err, n.log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stop asks the node to stop, which it must do by itself and well.
func (n *Node) stop(t *testing.T) {
	t.Helper()
	n.end(t, syscall.SIGTERM)
}

// kill leaves the node no time for anything.
func (n *Node) kill(t *testing.T) {
	t.Helper()
	n.end(t, syscall.SIGKILL)
}

func (n *Node) end(t *testing.T, how syscall.Signal) {
	t.Helper()
	must(t, n.process.Process.Signal(how))
	ended := make(chan error, 1)
	process := n.process
	go func() { ended <- process.Wait() }()
	select {
	case err := <-ended:
		if how == syscall.SIGTERM && err != nil {
			t.Errorf("the node stopped badly: %v\n%s", err, n.log)
		}
	case <-time.After(startPatience):
		t.Errorf("the node did not stop\n%s", n.log)
		_ = process.Process.Kill()
	}
	n.process = nil
}

// over runs an operation over HTTP, for what DAX clients can't do, and to see what they did.
func (n *Node) over(t *testing.T, operation string, input Object) Object {
	t.Helper()
	body, err := json.Marshal(input)
	must(t, err)
	request, err := http.NewRequest(http.MethodPost, n.HTTP, bytes.NewReader(body))
	must(t, err)
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := http.DefaultClient.Do(request)
	must(t, err)
	defer answer.Body.Close()
	output := Object{}
	must(t, json.NewDecoder(answer.Body).Decode(&output))
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %v", operation, body, output)
	}
	return output
}

// table makes one of the shared tables, by its name there or another.
func (n *Node) table(t *testing.T, like, name string) string {
	t.Helper()
	n.create(t, with(cases[map[string]Object](t, "tables")[like], Object{"TableName": name}))
	return name
}

// create makes a table and waits until it is there.
func (n *Node) create(t *testing.T, input Object) {
	t.Helper()
	n.over(t, "CreateTable", input)
	for n.over(t, "DescribeTable", Object{"TableName": input["TableName"]})["Table"].(Object)["TableStatus"] != "ACTIVE" {
		time.Sleep(20 * time.Millisecond)
	}
}

// counter is the sum of a counter over its labels, or of those written behind its name.
func (n *Node) counter(t *testing.T, name string) float64 {
	t.Helper()
	answer, err := http.Get(n.Admin + "/metrics")
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	sum, found := 0.0, false
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, name+" ") || strings.HasPrefix(line, name+"{") {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
			must(t, err)
			sum, found = sum+value, true
		}
	}
	if !found {
		t.Fatalf("%s is not among the metrics", name)
	}
	return sum
}

// grows runs what must raise a counter by just so much.
func (n *Node) grows(t *testing.T, name string, by float64, do func()) {
	t.Helper()
	n.growsBut(t, name, by, 0, do)
}

// growsByPages is grows for so many pages (an absence is one, since nobody wrote it), of which each node behind the endpoint but the
// one that was asked before may have its own first read: memory is each node's own, and only what is written is in all of them.
func (n *Node) growsByPages(t *testing.T, name string, by, pages float64, do func()) {
	t.Helper()
	n.growsBut(t, name, by, pages*(nodes(t)-1), do)
}

// nodes is how many nodes stand behind the endpoints of the shared one.
func nodes(t *testing.T) float64 {
	t.Helper()
	said := os.Getenv("FOREBAY_NODES")
	if said == "" {
		return 1
	}
	count, err := strconv.ParseFloat(said, 64)
	must(t, err)
	return count
}

func (n *Node) growsBut(t *testing.T, name string, by, but float64, do func()) {
	t.Helper()
	before := n.counter(t, name)
	do()
	if grown := n.counter(t, name) - before; grown > by || grown < by-but {
		t.Fatalf("%s grew by %v, not by %v, or up to %v less", name, grown, by, but)
	}
}

// hits is the counter of a cache's hits by an operation.
func hits(cache, operation string) string {
	return fmt.Sprintf(`forebay_%s_cache_hits_total{operation="%s"}`, cache, operation)
}
