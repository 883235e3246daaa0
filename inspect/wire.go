package inspect

import (
	"encoding/json"
	"time"
)

// This file is the one place that says what the handler sends. Times are in RFC
// 3339 with nanoseconds, durations are in milliseconds, and a field that has
// nothing to say is left out.
//
// GET status.json answers with a present.
//
// GET events sends these server-sent events. Only entries have an id, so that
// Last-Event-ID names the last entry that the client has.
//
//	event: hello    data: a hello. Sent once, at the start.
//	event: gap      data: a gap. Entries are missing here.
//	event: entry    data: an entryJSON. Its id is RUN-NUMBER.
//	event: engine   data: an engineJSON that is new or has changed.
//	event: gone     data: a gone. This engine is not shown any more.
//
// A client that resumes gets the entries after the one that it names. If some of
// these are not kept any more, a gap comes first. If the id is of another run,
// because the process was restarted, a gap with the reason "restart" comes
// first, and then everything that is kept. A change of an engine may be skipped
// if a newer one has come meanwhile; an entry is never skipped without a gap.

// A present says what is known now about all engines.
type present struct {
	Run     string       `json:"run"`  // identifies the inspector; another one after a restart
	Time    time.Time    `json:"time"` // the server's clock
	Last    uint64       `json:"last"` // the number of the newest entry; 0 if there is none
	Engines []engineJSON `json:"engines"`
}

// A hello starts a stream.
type hello struct {
	Run  string    `json:"run"`
	Time time.Time `json:"time"`
	Keep int       `json:"keep"` // how many entries are kept at most
}

// A gap stands for entries that are not sent.
type gap struct {
	Reason string `json:"reason"`           // "dropped": not kept any more; "restart": the ids are of another run
	Missed uint64 `json:"missed,omitempty"` // how many entries; unknown after a restart
}

// A gone names an engine that is not shown any more.
type gone struct {
	Name string `json:"name"`
}

// An engineJSON is one engine as it is now.
type engineJSON struct {
	Name   string          `json:"name"`             // as given to Watch; with " #2" if that name was taken
	Mode   string          `json:"mode,omitempty"`   // not known if the engine was not made with Options
	Status json.RawMessage `json:"status"`           // the engine's own JSON of its Status, without the cause
	Cause  *problem        `json:"cause,omitempty"`  // why the latest transition happened
	Owner  string          `json:"owner,omitempty"`  // who logged IM in: "host" or "engine"
	Since  *since          `json:"since,omitempty"`  // when the logins that stand were made
	Calls  []callJSON      `json:"calls,omitempty"`  // calls of the backend that have not returned
	Traced bool            `json:"traced"`           // made with Options, so its calls and failures are shown
	Closed *time.Time      `json:"closed,omitempty"` // when the engine was closed
}

// A since has the times of the logins that stand. A time is left out if the
// login is older than the watch.
type since struct {
	IM  *time.Time `json:"im,omitempty"`
	Kit *time.Time `json:"kit,omitempty"`
}

// A callJSON is a call of the backend, or of a token source, in progress.
type callJSON struct {
	Call  string    `json:"call"`
	Rung  string    `json:"rung"` // the state that the call leads to, or away from
	Up    bool      `json:"up"`   // false: away from it
	Began time.Time `json:"began"`
}

// An entryJSON is one entry of the story. Which fields it has depends on Kind:
//
//   - "watch": the inspector began to watch the engine. Has To.
//   - "transition": has Trigger, From, To, Seq, the ids of the login, After and
//     Cause.
//   - "call": a call of the backend, or of a token source, has returned. Has
//     Call, Took, and Cause if it failed.
//   - "failure": an operation failed. Has Op, Call and Cause.
//   - "link": the IM link went down or came back. Has On.
//   - "token": the kit's token expired, or was renewed. Has On, which is true if
//     the token is good.
//   - "skipped": the inspector was too slow, and missed changes. Has Missed.
//   - "closed": the engine was closed.
type entryJSON struct {
	ID     uint64    `json:"id"`
	Time   time.Time `json:"time"`
	Engine string    `json:"engine"` // if engines share Options, a call and a failure have all their names
	Kind   string    `json:"kind"`

	Seq       uint64   `json:"seq,omitempty"` // Status.Seq
	Trigger   string   `json:"trigger,omitempty"`
	From      string   `json:"from,omitempty"`
	To        string   `json:"to,omitempty"`
	Session   string   `json:"session,omitempty"`
	Accid     string   `json:"accid,omitempty"`
	UserUUID  string   `json:"userUuid,omitempty"`
	Anonymous bool     `json:"anonymous,omitempty"`
	After     *float64 `json:"after,omitempty"` // ms since the engine's transition before
	Op        string   `json:"op,omitempty"`
	Call      string   `json:"call,omitempty"`
	Took      *float64 `json:"took,omitempty"` // ms
	On        *bool    `json:"on,omitempty"`
	Missed    uint64   `json:"missed,omitempty"`
	Cause     *problem `json:"cause,omitempty"`
}

// A problem is an error, without any text that could have a token.
type problem struct {
	Code     int            `json:"code"`               // 0: none
	Text     string         `json:"text"`               // the code's sentence
	Detail   string         `json:"detail,omitempty"`   // more, in the words of the engine or of Go's own packages
	Hidden   bool           `json:"hidden,omitempty"`   // the error had more text, which is not shown
	Remedy   *remedy        `json:"remedy,omitempty"`   // nil if there is no code
	Numbers  map[string]int `json:"numbers,omitempty"`  // by profile: meeting, room, desktop, roomkit1, meeting1
	Kick     *kick          `json:"kick,omitempty"`     // the service kicked the login
	Mismatch *mismatch      `json:"mismatch,omitempty"` // two accounts, or AppKeys, differ
}

type remedy struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
}

type kick struct {
	Reason     int    `json:"reason"`
	Text       string `json:"text"` // the engine's words for the reason
	ClientType int    `json:"clientType,omitempty"`
}

type mismatch struct {
	Bound    string `json:"bound"`
	LoggedIn string `json:"loggedIn"`
}
