package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"coffer/protocol"
)

const meInfoID = "00112233445566778899AabbCcDdEeFf"

func TestParseMeInfo(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	one := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(key))
	eight := base64.StdEncoding.EncodeToString(pkcs8)
	for name, text := range map[string]string{
		"PKCS #1":         "Anna Béla\n" + meInfoID + "\n" + one + "\n",
		"PKCS #8":         "Anna Béla\n" + meInfoID + "\n" + eight,
		"Windows":         "\ufeffAnna Béla\r\n" + meInfoID + "\r\n" + eight + "\r\n",
		"wrapped":         "Anna Béla\n" + meInfoID + "\n" + eight[:72] + "\n" + eight[72:] + "\n",
		"Latin-1":         "Anna B\xe9la\n" + meInfoID + "\n" + one,
		"padded":          "Anna Béla" + strings.Repeat("\x00", 255-len("Anna Béla")) + "\n" + meInfoID + "\n" + one,
		"padded with \\r": "Anna Béla" + strings.Repeat("\x00", 255-len("Anna Béla")) + "\r\n" + meInfoID + "\r\n" + one,
		"a field":         "Anna B\xe9la" + strings.Repeat("\x00", 255-len("Anna B\xe9la")) + meInfoID + "\n" + one,
		"garbage":         "Anna Béla\x00garbage of the stack\n" + meInfoID + "\n" + one,
		"spaces around":   " Anna Béla \n" + meInfoID + " \n" + one + " \n\n",
	} {
		m, err := parseMeInfo(text, charmap.Windows1252)
		if err != nil || m.name != "Anna Béla" || !m.key.Equal(key) || m.id != (protocol.ClientID{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}) {
			t.Errorf("%s: %q, %v", name, m.name, err)
		}
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":     "",
		"NULs alone":  strings.Repeat("\x00", 255) + "\n" + meInfoID + "\n" + one,
		"no charset":  "anna\x81\n" + meInfoID + "\n" + one,
		"control":     "anna\x1b[2J\n" + meInfoID + "\n" + one,
		"no name":     "\n" + meInfoID + "\n" + one,
		"short id":    "anna\n" + meInfoID[2:] + "\n" + one,
		"no key":      "anna\n" + meInfoID + "\n",
		"cut key":     "anna\n" + meInfoID + "\n" + one[:40],
		"another key": "anna\n" + meInfoID + "\n" + base64.StdEncoding.EncodeToString(ecDER),
	} {
		_, err := parseMeInfo(text, charmap.Windows1252)
		if !errors.Is(err, errMeInfo) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(meInfoID[4:12])) {
			t.Errorf("%s: the error quotes what is secret: %v", name, err)
		}
	}
}

func FuzzParseMeInfo(f *testing.F) {
	f.Add("anna\n" + meInfoID + "\nMIIB")
	f.Add("ann\xe9\x00\x00\n" + meInfoID + "\nMIIB")
	f.Add("\ufeffanna\r\n" + meInfoID + "\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMeInfo(text, charmap.Windows1252)
		if err == nil && (m.key == nil || protocol.CheckName(m.name) != nil) {
			t.Errorf("%q was taken", m.name)
		}
		if err != nil && !errors.Is(err, errMeInfo) {
			t.Errorf("%v is not errMeInfo", err)
		}
	})
}
