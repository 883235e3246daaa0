package main

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	data, err := os.ReadFile("../../backends/nimhttp/gateway/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var npm struct {
		Version      string
		Dependencies map[string]string
	}
	if err := json.Unmarshal(data, &npm); err != nil {
		t.Fatal(err)
	}
	want := versions{Go: runtime.Version(), Gateway: npm.Version, SDK: npm.Dependencies["nim-web-sdk-ng"]}

	_, out, _ := command(t, "version", "-json")
	var got versions
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if want.Module = got.Module; got != want || got.Module == "" || got.SDK == "" {
		t.Errorf("got %+v, want %+v", got, want)
	}
	_, out, _ = command(t, "version")
	for _, version := range []string{got.Module, got.Go, got.Gateway, got.SDK} {
		if !strings.Contains(out, " "+version+"\n") {
			t.Errorf("got %q, want %q in it", out, version)
		}
	}
}
