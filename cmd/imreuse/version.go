package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
)

// versions are the versions that a bug report should name.
type versions struct {
	Module  string `json:"imreuse"`
	Go      string `json:"go"`
	Gateway string `json:"gateway"` // the gateway's contract
	SDK     string `json:"sdk"`     // the vendor's IM SDK that the gateway needs
}

func readVersions() versions {
	v := versions{Module: "unknown", Go: runtime.Version(), Gateway: gateway.Version, SDK: gateway.SDKVersion()}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v.Module = info.Main.Version
	}
	return v
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the versions of imreuse, Go, the gateway and the vendor's IM SDK",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print JSON"}},
		Action: func(_ context.Context, c *cli.Command) error {
			return printVersions(c.Root().Writer, readVersions(), c.Bool("json"))
		},
	}
}

func printVersions(out io.Writer, v versions, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(v)
	}
	_, err := fmt.Fprintf(out, "imreuse %s\ngo      %s\ngateway %s\nsdk     %s\n", v.Module, v.Go, v.Gateway, v.SDK)
	return err
}
