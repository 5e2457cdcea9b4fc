package dax

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readme runs the README's snippet for Go as it is pasted, but for the addresses. The suite's go.mod has what it imports.
func (s *suite) readme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	must(t, err)
	var found []string
	for _, block := range regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		found = append(found, block[1])
	}
	if len(found) != 1 {
		t.Fatalf("%d snippets for Go", len(found))
	}
	program := strings.NewReplacer("http://127.0.0.1:8000", s.node.HTTP, "dax://127.0.0.1:8111", s.node.DAX).Replace(found[0])
	file := filepath.Join(t.TempDir(), "main.go")
	must(t, os.WriteFile(file, []byte(program), 0o600))
	s.node.create(t, Object{
		"TableName": "coupons", "BillingMode": "PAY_PER_REQUEST",
		"KeySchema":            []any{Object{"AttributeName": "code", "KeyType": "HASH"}},
		"AttributeDefinitions": []any{Object{"AttributeName": "code", "AttributeType": "S"}},
	})
	s.node.over(t, "PutItem", Object{"TableName": "coupons", "Item": Object{"code": Object{"S": "SUN"}, "percent": Object{"N": "15"}}})
	output, err := exec.Command("go", "run", file).CombinedOutput()
	if err != nil || string(output) != "15\n15\n" {
		t.Fatalf("%v\n%s", err, output)
	}
}
