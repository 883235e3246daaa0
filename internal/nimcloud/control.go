package nimcloud

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// controls are the faults that a test has switched on.
type controls struct {
	lbs, link     int // the HTTP status with which they fail; 0: they work
	muteHeartbeat bool
	muteLogin     bool
	refuse        int // the code with which logins are refused
	refusals      int // how many more logins are refused
}

func (c *Cloud) currentControls() controls {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.controls
}

func (c *Cloud) changeControls(change func(*controls)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.controls)
}

// Drop cuts the links on which accid is logged in, without telling the clients,
// as a broken network does. When it returns, the links are closed and their
// logins in the world have ended. The SDKs reconnect by themselves.
func (c *Cloud) Drop(accid string) {
	accid = fold(accid)
	cutAll(c.find(func(l *link) bool { return l.loggedIn && l.accid == accid }))
}

// Link takes the links of accid down, as Drop does, or lets them come back.
// While they are down, the cloud answers a login of that account by cutting its
// link, and the SDKs keep trying.
func (c *Cloud) Link(accid string, online bool) {
	accid = fold(accid)
	c.mu.Lock()
	var links []*link
	if online {
		delete(c.down, accid)
	} else {
		c.down[accid] = true
		links = c.findLocked(func(l *link) bool { return l.accid == accid }) // even if not logged in yet
	}
	c.mu.Unlock()
	cutAll(links)
}

// cutAll cuts links and waits until they have ended.
func cutAll(links []*link) {
	for _, l := range links {
		l.cut()
	}
	for _, l := range links {
		<-l.done
	}
}

// Refuse makes the next logins, of any account, fail with code, one of the
// vendor's, such as 417 or 102404. times is the number of logins; a later call
// replaces it, so Refuse(code, 0) ends the refusals. Refuse panics if times is
// negative, or if code is 200 or does not fit into a packet.
func (c *Cloud) Refuse(code, times int) {
	if _, ok := packCode(code); !ok || code == codeOK {
		panic(fmt.Sprintf("nimcloud: a login cannot be refused with code %d", code))
	}
	if times < 0 {
		panic(fmt.Sprintf("nimcloud: Refuse %d times", times))
	}
	c.changeControls(func(s *controls) { s.refuse, s.refusals = code, times })
}

// MuteHeartbeat leaves heartbeats unanswered, or answers them again. The SDKs
// consider the link dead after 53 s without an answer.
func (c *Cloud) MuteHeartbeat(mute bool) {
	c.changeControls(func(s *controls) { s.muteHeartbeat = mute })
}

// MuteLogin leaves logins unanswered, as if they had not arrived, or answers
// them again.
func (c *Cloud) MuteLogin(mute bool) { c.changeControls(func(s *controls) { s.muteLogin = mute }) }

// FailLBS makes the address service answer with that HTTP status; 0 or 200 ends
// it. An SDK that was also given a link address then uses that address. FailLBS
// panics if status is not a failure, 300 to 599.
func (c *Cloud) FailLBS(status int) {
	status = failureStatus(status)
	c.changeControls(func(s *controls) { s.lbs = status })
}

// FailLink makes the link server refuse new links with that HTTP status; 0 or
// 200 ends it. Open links stay open: see Drop. FailLink panics if status is not
// a failure, 300 to 599.
func (c *Cloud) FailLink(status int) {
	status = failureStatus(status)
	c.changeControls(func(s *controls) { s.link = status })
}

// failureStatus returns status, or 0 for success.
func failureStatus(status int) int {
	switch {
	case status == 0 || status == 200:
		return 0
	case status < 300 || status > 599:
		panic(fmt.Sprintf("nimcloud: HTTP status %d is not a failure", status))
	}
	return status
}

// A Client is an open link.
type Client struct {
	Accid      string // the account that is logged in, in lower case; "": none
	Account    string // the account of the last login request, as it was sent; "": there was none
	AppKey     string
	DeviceID   string // of the SDK instance; the Node build makes a new one in each process
	Type       int    // in the vendor's numbers: 16 is Web, which the Node build reports too
	Automatic  bool   // the SDK reconnected by itself
	Heartbeats int    // how many arrived, answered or not
	Settled    bool   // the SDK has asked its last question after the login
}

// Clients returns the open links, the oldest first. They include links on which
// nobody is logged in.
func (c *Cloud) Clients() []Client {
	links := c.find(func(*link) bool { return true })
	c.mu.Lock()
	defer c.mu.Unlock()
	clients := make([]Client, len(links))
	for i, l := range links {
		clients[i] = Client{
			Account: l.device.account, AppKey: l.device.appKey, DeviceID: l.device.id,
			Type: l.device.clientType, Automatic: l.device.automatic, Heartbeats: l.heartbeats, Settled: l.settled,
		}
		if l.loggedIn {
			clients[i].Accid = l.accid
		}
	}
	return clients
}

// find returns the links that match, the oldest first.
func (c *Cloud) find(match func(*link) bool) []*link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.findLocked(match)
}

func (c *Cloud) findLocked(match func(*link) bool) []*link {
	var found []*link
	for l := range c.links {
		if match(l) {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b *link) int { return cmp.Compare(a.id, b.id) })
	return found
}

func fold(id string) string { return strings.ToLower(id) }
