package dax

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Trusted is the folder of the certificate that this process trusts, which clients for Go take from the environment.
var Trusted string

// Main runs the tests of a suite, or, where FOREBAY_PLAY names a cluster, plays on it instead. Before the tests it makes the
// certificate that the process trusts: the roots are read once.
func Main(m *testing.M, connect Dial) {
	if endpoint := os.Getenv("FOREBAY_PLAY"); endpoint != "" {
		if err := Play(connect, endpoint); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	folder, err := os.MkdirTemp("", "forebay-")
	if err == nil {
		Trusted = folder
		err = certify(folder, "localhost", net.IPv4(127, 0, 0, 1))
	}
	if err == nil {
		err = os.Setenv("SSL_CERT_FILE", filepath.Join(folder, "certificate.pem"))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// certify makes a certificate that is its own authority.
func certify(folder, name string, address net.IP) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "forebay test " + folder},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{address}, IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for file, block := range map[string]*pem.Block{
		"certificate.pem": {Type: "CERTIFICATE", Bytes: certificate}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(folder, file), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// secured are the settings of a node with the certificate of a folder. Tables are made over plain HTTP before.
func secured(folder string) []string {
	return []string{
		"tls.certificate_file=" + filepath.Join(folder, "certificate.pem"), "tls.key_file=" + filepath.Join(folder, "key.pem"),
	}
}

// again starts a node anew, with other settings.
func (n *Node) again(t *testing.T, settings ...string) {
	t.Helper()
	n.stop(t)
	n.settings, n.HTTP = settings, ""
	n.start(t)
}

func (s *suite) tls(t *testing.T) {
	node := newNode(t)
	node.table(t, "things", "things")
	node.again(t, secured(Trusted)...)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		t.Run("a certificate that names "+host, func(t *testing.T) {
			client := s.dial(t, How{Endpoint: "daxs://" + host + ":" + port(node.DAXS), Retries: 2})
			written := with(id(host), Object{"text": Object{"S": strings.Repeat("x", 300_000)}})
			call(t, client, "PutItem", Object{"TableName": "things", "Item": written})
			same(t, call(t, client, "GetItem", Object{"TableName": "things", "Key": id(host)})["Item"], written)
			fails(t, client, "PutItem", Object{"TableName": "things", "Item": written, "ConditionExpression": "attribute_not_exists(id)"}, "ConditionalCheckFailedException")
		})
	}
	t.Run("a certificate that does not name the host", func(t *testing.T) {
		s.refused(t, "daxs://127.0.0.2:"+port(node.DAXS))
	})
	t.Run("a certificate that is not trusted", func(t *testing.T) {
		other := t.TempDir()
		must(t, certify(other, "localhost", net.IPv4(127, 0, 0, 1)))
		s.refused(t, newNode(t, secured(other)...).DAXS)
	})
	t.Run("a client survives a restart", func(t *testing.T) {
		client := s.dial(t, How{Endpoint: node.DAXS, Retries: 2, NoHealthChecks: true})
		written := shaped("restart", "learned")
		call(t, client, "PutItem", Object{"TableName": "things", "Item": written})
		node.kill(t)
		node.start(t)
		s.settle(t, client)
		same(t, call(t, client, "GetItem", Object{"TableName": "things", "Key": id("restart")})["Item"], written)
		call(t, client, "PutItem", Object{"TableName": "things", "Item": written})
	})
}

// refused asserts that a client gets no answer at an endpoint.
func (s *suite) refused(t *testing.T, endpoint string) {
	t.Helper()
	client, err := s.connect(How{Endpoint: endpoint, Key: Anybody})
	if err != nil {
		return
	}
	defer func() { _ = client.Close() }()
	answer, err := try(client, "GetItem", Object{"TableName": "things", "Key": id("x")})
	if err == nil {
		t.Fatalf("an answer over a connection that is not to be trusted: %v", answer)
	}
}
