package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// A usageError reports that the command was called wrongly.
type usageError struct{ error }

func (u *usageError) Unwrap() error { return u.error }

// badUsage returns a usageError that names the help to read.
func badUsage(c *cli.Command, text, suggestion string) error {
	if suggestion != "" {
		return &usageError{fmt.Errorf("%s; %s See: %s -h", text, suggestion, c.FullName())}
	}
	return &usageError{fmt.Errorf("%s; see: %s -h", text, c.FullName())}
}

// reportUsage makes c and the commands below it return their usage errors. By
// default cli prints the error, and the whole help on stdout.
func reportUsage(c *cli.Command) {
	c.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error {
		return badFlag(c, err)
	}
	for _, sub := range c.Commands {
		reportUsage(sub)
	}
}

// checkArgs refuses arguments: a command takes flags only, and a group of
// commands takes the name of one of them. The error does not repeat a command's
// argument, which may be a secret in the wrong place.
func checkArgs(_ context.Context, c *cli.Command) error {
	if !c.Args().Present() {
		return nil
	}
	name := c.Args().First()
	if c.Name == "help" {
		c = c.Lineage()[1]
		if c.Command(name) != nil {
			return nil
		}
	}
	if len(c.VisibleCommands()) > 0 {
		return badUsage(c, fmt.Sprintf("there is no command %q", name), didYouMean(cli.SuggestCommand(c.VisibleCommands(), name), name))
	}
	return badUsage(c, c.Name+" takes no arguments, only flags", "")
}

// unknownFlag starts cli's error for an unknown flag. There is no type for it;
// cli itself searches for this text to suggest a flag.
const unknownFlag = "flag provided but not defined: -"

// badFlag turns cli's error about a flag into a usageError, and suggests the flag
// that was meant.
func badFlag(c *cli.Command, err error) error {
	text, suggestion := err.Error(), ""
	if name, ok := strings.CutPrefix(text, unknownFlag); ok {
		text, suggestion = "there is no flag -"+name, didYouMean(cli.SuggestFlag(c.Flags, name, false), name)
	} else if rest, ok := strings.CutPrefix(text, "Required flag"); ok {
		text = "required flag" + rest
	}
	return badUsage(c, text, suggestion)
}

// didYouMean returns a question with the suggestion, or "" if that is too far
// from what was typed: cli suggests the nearest name, however far away it is.
func didYouMean(suggestion, typed string) string {
	name := strings.TrimLeft(suggestion, "-")
	if len(name) < 2 || distance(name, typed) > max(1, len(name)/3) {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", suggestion)
}

// distance returns how many letters must be inserted, deleted, replaced or
// swapped with their neighbour to turn a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			case i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1]:
				rows[i][j] = 1 + min(rows[i-2][j-2], rows[i-1][j], rows[i][j-1])
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
			}
		}
	}
	return rows[len(a)][len(b)]
}

// isUnknownTopic reports whether err is cli's error for "-h NAME" if there is no
// command NAME. An *exec.ExitError has the same method, but is always wrapped
// here.
func isUnknownTopic(err error) bool {
	_, is := err.(cli.ExitCoder)
	return is
}

func usageText(err error) string {
	if isUnknownTopic(err) {
		return strings.Replace(err.Error(), "No help topic for", "there is no command", 1) + "; see: imreuse -h"
	}
	return err.Error()
}

// showCompletion lists the completion command in the help; cli hides it by
// default.
func showCompletion(c *cli.Command) {
	c.Hidden = false
	c.Usage = "print a script that completes commands and flags in your shell"
	c.Description = `Load it in the startup file of your shell:

   bash   source <(imreuse completion bash)      needs the package bash-completion
   zsh    source <(imreuse completion zsh)
   fish   imreuse completion fish | source`
	reportUsage(c)
}
