package main

import (
	"fmt"
	"io"
	"os"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/internal/accounts"
)

// This file reads the sandbox's accounts file.

const maxAccounts = 16 << 20 // bytes of the file

// readAccounts reads an accounts file and returns the options of a server with
// its accounts, AppKey and AppSecret. Errors name the file and the line or the
// field, never a token.
func readAccounts(name string) (nimhttptest.Options, error) {
	text, err := readFile(name)
	if err != nil {
		return nimhttptest.Options{}, fmt.Errorf("-accounts: %w", err) // err names the file
	}
	parsed, err := accounts.Parse(text)
	if err != nil {
		return nimhttptest.Options{}, fmt.Errorf("-accounts: %s: %w", name, err)
	}
	return nimhttptest.Options{World: parsed.World, AppKey: parsed.AppKey, AppSecret: parsed.AppSecret}, nil
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxAccounts+1))
	if err == nil && len(text) > maxAccounts {
		err = fmt.Errorf("%s: the file has more than %d bytes", name, maxAccounts)
	}
	return text, err
}
