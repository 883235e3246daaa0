package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// This file has every error that the engine makes: the Codes with their numbers,
// texts and remedies in one table, and the types that carry more than a Code.

// A Code is a kind of failure that a host may want to tell apart. It is an
// error itself, like syscall.Errno: errors.Is(err, ErrIMNotLoggedIn), or
// [CodeOf]. Codes are never renumbered.
type Code int

// The vendor's own, with its numbers (guides.md G26 to G28), then ours, from
// -20001 downwards, clear of the vendor's.
const (
	ErrIMNotLoggedIn     Code = 100004
	ErrIMAccountMismatch Code = 100005
	ErrReuseNoAnonymous  Code = 112001

	ErrClosed           Code = -20001
	ErrState            Code = -20002
	ErrArgument         Code = -20003
	ErrIMInUse          Code = -20004
	ErrKitInUse         Code = -20005
	ErrAppKeyMismatch   Code = -20006
	ErrTokenRejected    Code = -20007
	ErrTokenExpired     Code = -20008
	ErrAccountBanned    Code = -20009
	ErrNoIMAccount      Code = -20010
	ErrNotEnabled       Code = -20011
	ErrKicked           Code = -20012
	ErrIMLoggedOut      Code = -20013
	ErrUnavailable      Code = -20014
	ErrInterrupted      Code = -20015
	ErrSecondaryProcess Code = -20016
)

// A Profile is a generation of the vendor's kits. The same failure has another
// number in each (kit-semantics.md 2.2).
type Profile uint8

const (
	ProfileMeeting  Profile = iota // NEMeetingKit 3.2 and later: Android, iOS, Web, H5, Electron
	ProfileRoom                    // NERoom, all platforms
	ProfileDesktop                 // NEMeetingKit for Windows, macOS and Linux
	ProfileRoomKit1                // RoomKit 1.x
	ProfileMeeting1                // Meeting SDK 1.x and 2.x
)

// codes is the one table of failures: what each is called in each Profile (0:
// it has no number there), what it says, and what helps. The numbers are from
// kit-semantics.md 2.2 and 2.3 and http-api.md 5.5.
var codes = []struct {
	code         Code
	numbers      [5]int
	text, remedy string
	chinese      string // the remedy
}{
	{ErrIMNotLoggedIn, [5]int{100004, 100004, 1801, -6, -3},
		"IM reuse is on and the host has not logged IM in",
		"Log IM in with the bound account (Engine.LoginIM, or the host's own IM client) before the kit login.",
		"请先用绑定的 IM 账号登录 IM（Engine.LoginIM，或应用自己的 IM 客户端），再登录组件。"},
	{ErrIMAccountMismatch, [5]int{100005, 100005, 1802, -7, -5},
		"the IM account that is logged in is not the one that the kit account is bound to",
		"Create the kit account again with the imAccid and imToken of the IM account that is logged in, or log that one out and the bound one in.",
		"用当前 IM 账号的 imAccid 和 imToken 重新创建组件账号；或登出当前 IM 账号，改用绑定的账号登录。"},
	{ErrReuseNoAnonymous, [5]int{112001, 0, 112001, -8, 0},
		"IM reuse does not support anonymous login",
		"Log in with a kit account, or switch IM reuse off (Options.Mode AutoLogin, or log the host's IM out in AutoDetect).",
		"使用组件账号登录；或关闭 IM 复用（Options.Mode 设为 AutoLogin；在 AutoDetect 下登出应用的 IM）。"},

	{ErrClosed, [5]int{},
		"the engine is closed",
		"Make a new engine with New.",
		"用 New 创建新的引擎。"},
	{ErrState, [5]int{},
		"a step that must come first is missing",
		"Do the step that the message names, then try again.",
		"先完成错误信息中指出的步骤，再重试。"},
	{ErrArgument, [5]int{-5, 0, -5, 0, -5},
		"bad argument",
		"Correct the argument that the message names; nothing was sent and nothing changed.",
		"修正错误信息中指出的参数；没有发送任何请求，也没有任何改变。"},
	{ErrIMInUse, [5]int{},
		"IM is already logged in",
		"Log IM out first (LogoutIM; LogoutKit where the engine logged it in), or reuse its login (Options.Mode ReuseIM or AutoDetect).",
		"先登出 IM（LogoutIM；由引擎登录的，用 LogoutKit），或复用该登录（Options.Mode 设为 ReuseIM 或 AutoDetect）。"},
	{ErrKitInUse, [5]int{},
		"the kit is already logged in as somebody else",
		"Call LogoutKit first.",
		"先调用 LogoutKit。"},
	{ErrAppKeyMismatch, [5]int{},
		"the AppKeys of IM and of the kit differ",
		"Use one AppKey for IM and for the kit: an account is known only to the app that it was created in.",
		"IM 和组件须使用同一个 AppKey：账号只在创建它的应用中有效。"},
	{ErrTokenRejected, [5]int{402, 1027, 2006, 0, -2},
		"the service does not accept this account and token",
		"Fetch the current token from your app server; mind that the IM token and the kit token are different secrets.",
		"从应用服务器获取当前有效的 token；注意 IM token 与组件 token 是两个不同的密钥。"},
	{ErrTokenExpired, [5]int{402, 1026, 2006, 0, 0},
		"the token has expired",
		"Fetch a new token from your app server and log in again.",
		"从应用服务器获取新的 token，然后重新登录。"},
	{ErrAccountBanned, [5]int{},
		"the account is disabled",
		"Enable the account again, through the server API or the console.",
		"通过服务端 API 或控制台解封该账号。"},
	{ErrNoIMAccount, [5]int{},
		"the kit account is bound to no IM account",
		"Create the kit account again through the server API, with imAccid and imToken.",
		"通过服务端 API 重新创建组件账号，并传入 imAccid 和 imToken。"},
	{ErrNotEnabled, [5]int{},
		"the NERoom component is not switched on for this AppKey",
		"Switch the NERoom component on for the app in the vendor's console.",
		"在控制台为该应用开通 NERoom 组件。"},
	{ErrKicked, [5]int{},
		"the service ended the IM login",
		"Tell the user, and log in again only when they ask for it: two devices that both come back by themselves kick each other for ever.",
		"告知用户，仅在用户要求时重新登录：两台设备都自动重新登录，会互踢不止。"},
	{ErrIMLoggedOut, [5]int{},
		"IM was logged out behind the engine",
		"Log IM in again, then the kit; log out through the engine, or the kit first.",
		"先重新登录 IM，再登录组件；登出时请通过引擎，或先登出组件。"},
	{ErrUnavailable, [5]int{100003, 100003, -3, 0, -3},
		"the service cannot be reached, or does not answer as it should",
		"Check the network and the address, then try again.",
		"检查网络和地址，然后重试。"},
	{ErrInterrupted, [5]int{},
		"the login was ended by a logout or by Close",
		"Nothing is left of it; log in again if that is still wanted.",
		"该登录没有留下任何状态；如仍需要，请重新登录。"},
	{ErrSecondaryProcess, [5]int{},
		"IM lives in the main process only",
		"Log in from the main process, and leave Options.SecondaryProcess unset there.",
		"在主进程中登录，主进程不要设置 Options.SecondaryProcess。"},
}

// Error returns one sentence.
func (c Code) Error() string {
	if i := c.row(); i >= 0 {
		return codes[i].text
	}
	return fmt.Sprintf("code %d", int(c))
}

// Remedy says what to do about it, or "" for a number that is no Code. It is
// the advice of the vendor's guides where they have any, in our words.
func (c Code) Remedy() string {
	if i := c.row(); i >= 0 {
		return codes[i].remedy
	}
	return ""
}

// RemedyIn is like Remedy, in the language of a BCP 47 tag such as "zh-CN".
// There are remedies in Chinese; for any other language it returns Remedy.
func (c Code) RemedyIn(language string) string {
	primary, _, _ := strings.Cut(strings.ReplaceAll(language, "_", "-"), "-")
	if i := c.row(); i >= 0 && strings.EqualFold(primary, "zh") {
		return codes[i].chinese
	}
	return c.Remedy()
}

// In returns the number that the kits of p use for it, and whether they have one.
func (c Code) In(p Profile) (int, bool) {
	if i := c.row(); i >= 0 && int(p) < len(codes[i].numbers) {
		n := codes[i].numbers[p]
		return n, n != 0
	}
	return 0, false
}

func (c Code) row() int {
	for i := range codes {
		if codes[i].code == c {
			return i
		}
	}
	return -1
}

// CodeOf returns the first Code in err's chain, or 0 for none. It also returns
// 0 if a method of an error in the chain panics, as those of a nil pointer do.
func CodeOf(err error) (c Code) {
	defer func() { _ = recover() }()
	errors.As(err, &c)
	return c
}

// An Error is what every operation fails with. It is like fs.PathError: what
// was tried, and what went wrong with it.
type Error struct {
	Op    string // the method of Engine, such as "LoginKit"; of a loss, its trigger
	State State  // what the operation found
	Call  string // the method of the backend that failed, such as "Authenticate"; "" for none
	Err   error
}

// Error names the operation, the call that failed and the reason, never a token.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	if e.Call != "" && e.Call != e.Op {
		return fmt.Sprintf("imreuse: %s in %v: %s: %s", e.Op, e.State, e.Call, errorText(e.Err))
	}
	return fmt.Sprintf("imreuse: %s in %v: %s", e.Op, e.State, errorText(e.Err))
}

// Unwrap returns e.Err, or nil if e is nil.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// A deadlineError is what an operation fails with when the deadline of its ctx
// ends it. It has the Code ErrUnavailable, beside context.DeadlineExceeded and
// the cause that the host gave its ctx.
type deadlineError struct {
	waitedFor string // "" for nothing
	cause     error
}

// waits names what the caller of an operation waits for during a call of the
// backend.
var waits = map[string]string{
	"AdoptIM":      "the host's IM login that is in flight",
	"InitIM":       "IM to be initialised",
	"LoginIM":      "the IM login",
	"LogoutIM":     "the IM logout",
	"Authenticate": "the kit server to check the account",
	"Anonymous":    "the kit server to make a temporary account",
	"LoginKit":     "the kit login",
	"LogoutKit":    "the kit logout",
}

const turnToCome = "another operation"

// ctxError returns the error of an operation whose ctx ended with err, because of
// cause. A logout or a loss that ends an operation cancels its ctx.
func ctxError(err, cause error, waitedFor string) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return cause
	}
	return &deadlineError{waitedFor, cause}
}

func (e *deadlineError) Error() string {
	if e.waitedFor == "" {
		return fmt.Sprintf("the deadline had passed before the operation began: %v", e.cause)
	}
	return fmt.Sprintf("the deadline passed while waiting for %s: %v", e.waitedFor, e.cause)
}

func (e *deadlineError) Unwrap() []error {
	return []error{ErrUnavailable, context.DeadlineExceeded, e.cause}
}

// A MismatchError says which account was wanted and which is there. It unwraps
// to ErrAppKeyMismatch where the AppKeys differ, else to ErrIMAccountMismatch.
// The tokens are not in it.
type MismatchError struct {
	Bound    IMAccount // what the kit account is bound to
	LoggedIn IMAccount // what is logged in; only the AppKey where nobody is
}

func (e *MismatchError) Error() string {
	if e == nil {
		return "<nil>"
	}
	if e.Unwrap() == ErrAppKeyMismatch {
		return fmt.Sprintf("%v: the kit account is bound to an IM account of AppKey %q, but IM uses %q",
			ErrAppKeyMismatch, e.Bound.AppKey, e.LoggedIn.AppKey)
	}
	return fmt.Sprintf("%v: it is bound to %q, but %q is logged in", ErrIMAccountMismatch, e.Bound.Accid, e.LoggedIn.Accid)
}

func (e *MismatchError) Unwrap() error {
	if e == nil {
		return nil
	}
	if e.Bound.AppKey != e.LoggedIn.AppKey {
		return ErrAppKeyMismatch
	}
	return ErrIMAccountMismatch
}

// A KickReason is why the service ended an IM login. The numbers are those of
// the vendor's V2 SDKs (nim-login.md 2).
type KickReason int

const (
	KickedByClient KickReason = 1 // another device logged the account in, and the app allows one
	KickedByServer KickReason = 2 // through the server API or the console
	KickedByOther  KickReason = 3 // another device asked for it
	KickedQuietly  KickReason = 4 // the same device logged in once more
)

var kickReasons = [...]string{KickedByClient: "by a login on another device", KickedByServer: "by the server",
	KickedByOther: "by another device", KickedQuietly: "by a new login of the same device"}

// String says by whom, such as "by the server".
func (r KickReason) String() string {
	if r >= KickedByClient && int(r) < len(kickReasons) {
		return kickReasons[r]
	}
	return fmt.Sprintf("KickReason(%d)", int(r))
}

// A KickError is the cause of a loss by a kick. It unwraps to ErrKicked.
type KickError struct {
	Reason     KickReason
	ClientType int    // of the device that did it, in the vendor's numbers; 0: not known
	Text       string // the service's own words; "" for none
}

func (e *KickError) Error() string {
	if e == nil {
		return "<nil>"
	}
	s := fmt.Sprintf("%v: it was kicked %v", ErrKicked, e.Reason)
	if e.ClientType != 0 {
		s += fmt.Sprintf(" (client type %d)", e.ClientType)
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

func (e *KickError) Unwrap() error {
	if e == nil {
		return nil
	}
	return ErrKicked
}
