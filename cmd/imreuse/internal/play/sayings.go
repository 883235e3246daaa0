package play

// A Sentence is what the vendor's guides, or its software, say about an act, in
// the words of a page of docs/vendor. A test compares the English.
type Sentence struct {
	ID   string `json:"id"`   // "G27", or "" if the page does not number its sentences
	Page string `json:"page"` // below docs/vendor
	Text Text   `json:"text"`
}

// A Contrast is a row of docs/vendor/differences.md.
type Contrast struct {
	WebKit Text `json:"webKit"`
	Here   Text `json:"here"`
}

func guide(id, en, zh string) Sentence { return Sentence{id, "guides.md", Text{en, zh}} }

func known(page, en, zh string) Sentence { return Sentence{"", page, Text{en, zh}} }

var sentences = map[string]Sentence{
	"G04": guide("G04", "The IM SDK has one logged-in account at a time. So, with reuse off, a kit login fails if the app has already logged IM in.",
		"IM SDK 同一时间只能登录一个账号。因此未开启复用时，如果应用已经登录 IM，组件登录会失败。"),
	"G06": guide("G06", "Preparation, IM first: switch the NERoom component on for that app (AppKey).",
		"准备工作（已有 IM 应用）：为该应用（AppKey）开通 NERoom 组件。"),
	"G09": guide("G09", "To reuse the IM account (`myAccid`, `myToken`), create a kit account bound to it through the server API, passing `imAccid` and `imToken`.",
		"如需复用 IM 账号（`myAccid`、`myToken`），请通过服务端 API 创建与其绑定的组件账号，并传入 `imAccid` 和 `imToken`。"),
	"G10": guide("G10", "That call returns `userUuid` and `userToken`, which log the kit in (as accountId and accountToken).",
		"该接口返回 `userUuid` 和 `userToken`，用于登录组件（即 accountId 和 accountToken）。"),
	"G13": guide("G13", "With reuse on, the kit never initialises the IM SDK; the app does.",
		"开启复用后，组件不再初始化 IM SDK，由应用负责初始化。"),
	"G15": guide("G15", "The switch is a field of the kit's init options (`reuseIM = true`).",
		"复用开关是组件初始化选项中的一个字段（`reuseIM = true`）。"),
	"G16": guide("G16", "When the app starts, it initialises IM first, and then the kit.",
		"应用启动时，先初始化 IM，再初始化组件。"),
	"G18": guide("G18", "The app logs IM in with the account that is bound to the kit account, at any time before the kit login.",
		"应用使用与组件账号绑定的账号登录 IM，时机自定，但必须早于组件登录。"),
	"G21": guide("G21", "Behaviour, reuse off: the kit initialises IM by itself.",
		"未开启复用时的行为：组件自行初始化 IM。"),
	"G22": guide("G22", "Behaviour, reuse off: the kit logs the bound IM account in by itself.",
		"未开启复用时的行为：组件自行登录绑定的 IM 账号。"),
	"G23": guide("G23", "Behaviour, reuse off: anonymous join is supported.",
		"未开启复用时的行为：支持匿名入会。"),
	"G24": guide("G24", "Behaviour, reuse on: the kit does not log IM in. The kit login succeeds only if the kit account is bound to the IM account that is logged in.",
		"开启复用时的行为：组件不登录 IM；只有组件账号绑定的正是当前登录的 IM 账号，组件登录才会成功。"),
	"G26": guide("G26", "112001: reuse does not support anonymous join. Remedy: join another way, or switch reuse off.",
		"112001：IM 复用不支持匿名入会。处理办法：改用其他入会方式，或关闭复用。"),
	"G27": guide("G27", "100004: reuse is on, IM is not logged in. Remedy: make sure IM is logged in before the kit.",
		"100004：已开启 IM 复用，但 IM 未登录。处理办法：确保先登录 IM，再登录组件。"),
	"G28": guide("G28", "100005: reuse is on, the IM account does not match. Remedy: create the kit account again with the `imAccid` and `imToken` it must be bound to.",
		"100005：已开启 IM 复用，但 IM 账号不匹配。处理办法：用应绑定的 `imAccid` 和 `imToken` 重新创建组件账号。"),
	"G29": guide("G29", "From 3.13 on, the mobile kits check at login whether IM is logged in, and reuse the login if there is one.",
		"从 3.13 起，移动端组件在登录时检查 IM 是否已登录，已登录则复用。"),

	"kits.logout": known("kits.md", "A kit logout in reuse leaves IM alone. A kit logout without reuse logs IM out.",
		"复用时登出组件不影响 IM；未复用时登出组件会同时登出 IM。"),
	"kits.expiry": known("kits.md", "Codes 402 and 1027 log the kit out. 1026 reports an expired token and leaves the kit logged in.",
		"402 和 1027 会使组件登出；1026 表示 token 已过期，组件仍保持登录。"),
	"kits.renewal": known("kits.md", "`renewToken` sends the *new* token to `POST /scene/apps/{appKey}/v1/checkToken`, and restores the old one if the server refuses it.",
		"`renewToken` 将新的 token 发送到 `POST /scene/apps/{appKey}/v1/checkToken`；如果服务端拒绝，则恢复旧的 token。"),
	"kits.unknown": known("kits.md", "The vendor does not say what happens after a login in reuse if the app logs IM out, logs in with another account, or is kicked.",
		"复用登录之后，如果应用登出 IM、换用其他账号登录或被踢下线，官方文档没有说明会发生什么。"),

	"sdk.kick1": known("im-sdk.md", "Kick reason 1: another client logged in, and the policy allows one",
		"踢出原因 1：另一个客户端登录了，而登录策略只允许一个"),
	"sdk.kick2": known("im-sdk.md", "Kick reason 2: the server, through its API or the console",
		"踢出原因 2：由服务端通过 API 或控制台踢出"),
	"sdk.kick3": known("im-sdk.md", "Kick reason 3: another client of the account asked for it",
		"踢出原因 3：由该账号的另一个客户端踢出"),
	"sdk.kick4": known("im-sdk.md", "Kick reason 4: the same device logged in again; Web only",
		"踢出原因 4：同一设备重新登录（仅 Web）"),
	"sdk.other": known("im-sdk.md", "`login()` of another account logs the first one out without an event.",
		"用另一个账号调用 `login()`，会直接登出前一个账号，且没有任何事件。"),
	"sdk.refused": known("im-sdk.md", "302, 102302: wrong account or token",
		"302、102302：账号或 token 错误"),
	"sdk.banned": known("im-sdk.md", "422, 102422: account banned",
		"422、102422：账号被禁用"),
	"sdk.dropped": known("im-sdk.md", "After a dropped link the status goes to `UNLOGIN`, then `WAITING`, and by itself back to `LOGINED`. It is never `LOGOUT` on the way.",
		"断线后，状态依次变为 `UNLOGIN`、`WAITING`，再自动回到 `LOGINED`，其间不会出现 `LOGOUT`。"),
}

var (
	comparedAccounts = Contrast{
		Text{"The IM account is compared with `userUuid`, letter by letter. The AppKey is not compared.",
			"逐字比较 IM 账号与 `userUuid`，不比较 AppKey。"},
		Text{"The bound account counts, folded to lower case, and so does the AppKey.",
			"以绑定的账号为准（忽略大小写），并比较 AppKey。"}}
	guestSuccess = Contrast{
		Text{"112001 arrives as a *success* with a code, and the public kit reports \"in a meeting\".",
			"112001 以“成功”加错误码的形式返回，组件还会报告“会议中”。"},
		Text{"The error 112001.", "返回错误 112001。"}}
	replacedUser = Contrast{
		Text{"A login of another user replaces user and token, whether it succeeds or not.",
			"另一个用户登录时，无论成功与否都会替换原来的用户和 token。"},
		Text{"`ErrKitInUse`; the first login stays.", "返回 `ErrKitInUse`，原来的登录不受影响。"}}
	overtaking = Contrast{
		Text{"A login overtakes a logout: it succeeds with an empty user.",
			"登录会抢在登出之前完成：登录成功，但用户为空。"},
		Text{"The login fails with `ErrInterrupted` and leaves nothing behind.",
			"登录以 `ErrInterrupted` 失败，不留下任何状态。"}}
	refusedTokens = Contrast{
		Text{"A refused token is recognised only with HTTP 200 and a numeric code.",
			"仅在 HTTP 200 且错误码为数字时，才能识别 token 被拒绝。"},
		Text{"401, 402 and 1027 are all `ErrTokenRejected`.", "401、402 和 1027 都是 `ErrTokenRejected`。"}}
	secondLogin = Contrast{
		Text{"A second login of the same user with a bad token logs the first one out.",
			"同一用户用错误的 token 再次登录，会登出已有的登录。"},
		Text{"It succeeds, because the user is logged in. The token is not checked.",
			"直接成功，因为该用户已经登录；不检查 token。"}}
	disconnected = Contrast{
		Text{"After one disconnect of the host's IM, every later kit login fails with `nim is null`, although IM is connected again.",
			"应用的 IM 断开一次之后，即使 IM 已重新连接，之后的组件登录都会以 `nim is null` 失败。"},
		Text{"The kit login ends once, with its cause. As soon as the host is logged in again, the next kit login succeeds.",
			"组件登录只结束一次，并带有原因；应用重新登录 IM 后，下一次组件登录即可成功。"}}
	silentLink = Contrast{
		Text{"In reuse, a link that goes down or comes back is not reported.", "复用时，断线和重连都不会上报。"},
		Text{"Both are reported, every time.", "每次断线和重连都会上报。"}}
	offline = Contrast{
		Text{"A browser that goes offline counts as a logout.", "浏览器离线会被视为登出。"},
		Text{"`Status.Online` is false until the SDK is back; the login stays.",
			"SDK 重连之前 `Status.Online` 为 false，登录保持不变。"}}
	leftover = Contrast{
		Text{"An expired kit token leaves the kit's IM login in place.", "组件 token 过期后，组件登录的 IM 仍然保留。"},
		Text{"The engine made that login for the kit and logs it out.", "该 IM 登录由引擎为组件建立，因此由引擎登出。"}}
	secondInitialize = Contrast{
		Text{"A second `initialize` is ignored, together with its IM, mode and AppKey.",
			"第二次 `initialize` 会被忽略，连同其中的 IM、模式和 AppKey。"},
		Text{"A second `New` makes a second engine.", "第二次 `New` 会创建第二个引擎。"}}
)
