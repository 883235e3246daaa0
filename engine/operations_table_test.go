package engine_test

// operationTable says what every operation does in each mode, from each
// situation that can be reached. A situation also says who logged IM in:
// nobody, the host through the engine, the host behind its back (adopted, or
// "+": not adopted yet), or the engine. The table is written by hand. One list
// of rows can serve several operations, as the one for LoginKit and KeepKit
// does. The columns:
//
//	situation | mode | next state | in IM now | error | published | calls of the backend
//
// Bound is the IM account myaccid, to which user1 is bound; user2 is bound to
// the IM account other. A situation begins with its state. Not reached: in
// reuse_im whatever the engine would have logged in, and in auto_login a kit
// login over the host's.
const operationTable = `
InitIM
	uninitialized               | any            | im_initialized | -       | nil         | init_im                    | InitIM
	im_initialized by host      | any            | im_initialized | -       | nil         | -                          | -
	im_initialized by engine    | not reuse_im   | im_initialized | -       | nil         | -                          | -
	uninitialized + bound       | any            | im_logged_in   | myaccid | nil         | init_im login_im           | -
	uninitialized + other       | any            | im_logged_in   | other   | nil         | init_im login_im           | -
	im_initialized + bound      | any            | im_initialized | myaccid | nil         | -                          | -
	im_initialized + other      | any            | im_initialized | other   | nil         | -                          | -
	im_logged_in by host        | any            | im_logged_in   | myaccid | nil         | -                          | -
	im_logged_in adopted        | any            | im_logged_in   | myaccid | nil         | -                          | -
	kit_logged_in over host's   | not auto_login | kit_logged_in  | myaccid | nil         | -                          | -
	kit_logged_in over adopted  | not auto_login | kit_logged_in  | myaccid | nil         | -                          | -
	kit_logged_in over engine's | not reuse_im   | kit_logged_in  | myaccid | nil         | -                          | -
	kit_logged_in anonymous     | not reuse_im   | kit_logged_in  | guest   | nil         | -                          | -
	closed                      | any            | uninitialized  | -       | ErrClosed   | -                          | -

LoginIM as bound
	uninitialized               | any            | uninitialized  | -       | ErrState    | -                          | -
	im_initialized by host      | any            | im_logged_in   | myaccid | nil         | login_im                   | LoginIM myaccid
	im_initialized by engine    | not reuse_im   | im_logged_in   | myaccid | nil         | login_im                   | LoginIM myaccid
	uninitialized + bound       | any            | im_logged_in   | myaccid | nil         | init_im login_im           | -
	uninitialized + other       | any            | im_logged_in   | other   | ErrIMInUse  | init_im login_im           | -
	im_initialized + bound      | any            | im_logged_in   | myaccid | nil         | login_im                   | -
	im_initialized + other      | any            | im_logged_in   | other   | ErrIMInUse  | login_im                   | -
	im_logged_in by host        | any            | im_logged_in   | myaccid | nil         | -                          | -
	im_logged_in adopted        | any            | im_logged_in   | myaccid | nil         | -                          | -
	kit_logged_in over host's   | not auto_login | kit_logged_in  | myaccid | nil         | -                          | -
	kit_logged_in over adopted  | not auto_login | kit_logged_in  | myaccid | nil         | -                          | -
	kit_logged_in over engine's | not reuse_im   | kit_logged_in  | myaccid | ErrIMInUse  | -                          | -
	kit_logged_in anonymous     | not reuse_im   | kit_logged_in  | guest   | ErrIMInUse  | -                          | -
	closed                      | any            | uninitialized  | -       | ErrClosed   | -                          | -

LoginIM as other
	uninitialized               | any            | uninitialized  | -       | ErrState    | -                          | -
	im_initialized by host      | any            | im_logged_in   | other   | nil         | login_im                   | LoginIM other
	im_initialized by engine    | not reuse_im   | im_logged_in   | other   | nil         | login_im                   | LoginIM other
	uninitialized + bound       | any            | im_logged_in   | myaccid | ErrIMInUse  | init_im login_im           | -
	uninitialized + other       | any            | im_logged_in   | other   | nil         | init_im login_im           | -
	im_initialized + bound      | any            | im_logged_in   | myaccid | ErrIMInUse  | login_im                   | -
	im_initialized + other      | any            | im_logged_in   | other   | nil         | login_im                   | -
	im_logged_in by host        | any            | im_logged_in   | myaccid | ErrIMInUse  | -                          | -
	im_logged_in adopted        | any            | im_logged_in   | myaccid | ErrIMInUse  | -                          | -
	kit_logged_in over host's   | not auto_login | kit_logged_in  | myaccid | ErrIMInUse  | -                          | -
	kit_logged_in over adopted  | not auto_login | kit_logged_in  | myaccid | ErrIMInUse  | -                          | -
	kit_logged_in over engine's | not reuse_im   | kit_logged_in  | myaccid | ErrIMInUse  | -                          | -
	kit_logged_in anonymous     | not reuse_im   | kit_logged_in  | guest   | ErrIMInUse  | -                          | -
	closed                      | any            | uninitialized  | -       | ErrClosed   | -                          | -

LoginKit as user1, KeepKit as user1
	uninitialized               | not reuse_im   | kit_logged_in  | myaccid | nil         | init_im login_im login_kit | Authenticate user1, InitIM, LoginIM myaccid, LoginKit user1
	uninitialized               | reuse_im       | uninitialized  | -       | 100004      | -                          | -
	im_initialized by host      | not reuse_im   | kit_logged_in  | myaccid | nil         | login_im login_kit         | Authenticate user1, LoginIM myaccid, LoginKit user1
	im_initialized by host      | reuse_im       | im_initialized | -       | 100004      | -                          | -
	im_initialized by engine    | not reuse_im   | kit_logged_in  | myaccid | nil         | login_im login_kit         | Authenticate user1, LoginIM myaccid, LoginKit user1
	uninitialized + bound       | not auto_login | kit_logged_in  | myaccid | nil         | init_im login_im login_kit | Authenticate user1, LoginKit user1
	uninitialized + bound       | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | init_im login_im           | -
	uninitialized + other       | not auto_login | im_logged_in   | other   | 100005      | init_im login_im           | Authenticate user1
	uninitialized + other       | auto_login     | im_logged_in   | other   | ErrIMInUse  | init_im login_im           | -
	im_initialized + bound      | not auto_login | kit_logged_in  | myaccid | nil         | login_im login_kit         | Authenticate user1, LoginKit user1
	im_initialized + bound      | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | login_im                   | -
	im_initialized + other      | not auto_login | im_logged_in   | other   | 100005      | login_im                   | Authenticate user1
	im_initialized + other      | auto_login     | im_logged_in   | other   | ErrIMInUse  | login_im                   | -
	im_logged_in by host        | not auto_login | kit_logged_in  | myaccid | nil         | login_kit                  | Authenticate user1, LoginKit user1
	im_logged_in by host        | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | -                          | -
	im_logged_in adopted        | not auto_login | kit_logged_in  | myaccid | nil         | login_kit                  | Authenticate user1, LoginKit user1
	im_logged_in adopted        | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | -                          | -
	kit_logged_in over host's   | not auto_login | kit_logged_in  | myaccid | nil         | -                          | -
	kit_logged_in over adopted  | not auto_login | kit_logged_in  | myaccid | nil         | -                          | -
	kit_logged_in over engine's | not reuse_im   | kit_logged_in  | myaccid | nil         | -                          | -
	kit_logged_in anonymous     | not reuse_im   | kit_logged_in  | guest   | ErrKitInUse | -                          | -
	closed                      | any            | uninitialized  | -       | ErrClosed   | -                          | -

LoginKit as user2
	uninitialized               | not reuse_im   | kit_logged_in  | other   | nil         | init_im login_im login_kit | Authenticate user2, InitIM, LoginIM other, LoginKit user2
	uninitialized               | reuse_im       | uninitialized  | -       | 100004      | -                          | -
	im_initialized by host      | not reuse_im   | kit_logged_in  | other   | nil         | login_im login_kit         | Authenticate user2, LoginIM other, LoginKit user2
	im_initialized by host      | reuse_im       | im_initialized | -       | 100004      | -                          | -
	im_initialized by engine    | not reuse_im   | kit_logged_in  | other   | nil         | login_im login_kit         | Authenticate user2, LoginIM other, LoginKit user2
	uninitialized + bound       | not auto_login | im_logged_in   | myaccid | 100005      | init_im login_im           | Authenticate user2
	uninitialized + bound       | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | init_im login_im           | -
	uninitialized + other       | not auto_login | kit_logged_in  | other   | nil         | init_im login_im login_kit | Authenticate user2, LoginKit user2
	uninitialized + other       | auto_login     | im_logged_in   | other   | ErrIMInUse  | init_im login_im           | -
	im_initialized + bound      | not auto_login | im_logged_in   | myaccid | 100005      | login_im                   | Authenticate user2
	im_initialized + bound      | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | login_im                   | -
	im_initialized + other      | not auto_login | kit_logged_in  | other   | nil         | login_im login_kit         | Authenticate user2, LoginKit user2
	im_initialized + other      | auto_login     | im_logged_in   | other   | ErrIMInUse  | login_im                   | -
	im_logged_in by host        | not auto_login | im_logged_in   | myaccid | 100005      | -                          | Authenticate user2
	im_logged_in by host        | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | -                          | -
	im_logged_in adopted        | not auto_login | im_logged_in   | myaccid | 100005      | -                          | Authenticate user2
	im_logged_in adopted        | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | -                          | -
	kit_logged_in over host's   | not auto_login | kit_logged_in  | myaccid | ErrKitInUse | -                          | -
	kit_logged_in over adopted  | not auto_login | kit_logged_in  | myaccid | ErrKitInUse | -                          | -
	kit_logged_in over engine's | not reuse_im   | kit_logged_in  | myaccid | ErrKitInUse | -                          | -
	kit_logged_in anonymous     | not reuse_im   | kit_logged_in  | guest   | ErrKitInUse | -                          | -
	closed                      | any            | uninitialized  | -       | ErrClosed   | -                          | -

RenewKit as user1
	uninitialized               | any            | uninitialized  | -       | ErrState    | -                          | -
	im_initialized by host      | any            | im_initialized | -       | ErrState    | -                          | -
	im_initialized by engine    | not reuse_im   | im_initialized | -       | ErrState    | -                          | -
	uninitialized + bound       | any            | uninitialized  | myaccid | ErrState    | -                          | -
	uninitialized + other       | any            | uninitialized  | other   | ErrState    | -                          | -
	im_initialized + bound      | any            | im_initialized | myaccid | ErrState    | -                          | -
	im_initialized + other      | any            | im_initialized | other   | ErrState    | -                          | -
	im_logged_in by host        | any            | im_logged_in   | myaccid | ErrState    | -                          | -
	im_logged_in adopted        | any            | im_logged_in   | myaccid | ErrState    | -                          | -
	kit_logged_in over host's   | not auto_login | kit_logged_in  | myaccid | nil         | -                          | RenewKit user1
	kit_logged_in over adopted  | not auto_login | kit_logged_in  | myaccid | nil         | -                          | RenewKit user1
	kit_logged_in over engine's | not reuse_im   | kit_logged_in  | myaccid | nil         | -                          | RenewKit user1
	kit_logged_in anonymous     | not reuse_im   | kit_logged_in  | guest   | ErrKitInUse | -                          | -
	closed                      | any            | uninitialized  | -       | ErrClosed   | -                          | -

LoginAnonymous
	uninitialized               | not reuse_im   | kit_logged_in  | guest   | nil         | init_im login_im login_kit | Anonymous, Authenticate guest, InitIM, LoginIM guest, LoginKit guest
	uninitialized               | reuse_im       | uninitialized  | -       | 112001      | -                          | -
	im_initialized by host      | not reuse_im   | kit_logged_in  | guest   | nil         | login_im login_kit         | Anonymous, Authenticate guest, LoginIM guest, LoginKit guest
	im_initialized by host      | reuse_im       | im_initialized | -       | 112001      | -                          | -
	im_initialized by engine    | not reuse_im   | kit_logged_in  | guest   | nil         | login_im login_kit         | Anonymous, Authenticate guest, LoginIM guest, LoginKit guest
	uninitialized + bound       | not auto_login | im_logged_in   | myaccid | 112001      | init_im login_im           | -
	uninitialized + bound       | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | init_im login_im           | -
	uninitialized + other       | not auto_login | im_logged_in   | other   | 112001      | init_im login_im           | -
	uninitialized + other       | auto_login     | im_logged_in   | other   | ErrIMInUse  | init_im login_im           | -
	im_initialized + bound      | not auto_login | im_logged_in   | myaccid | 112001      | login_im                   | -
	im_initialized + bound      | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | login_im                   | -
	im_initialized + other      | not auto_login | im_logged_in   | other   | 112001      | login_im                   | -
	im_initialized + other      | auto_login     | im_logged_in   | other   | ErrIMInUse  | login_im                   | -
	im_logged_in by host        | not auto_login | im_logged_in   | myaccid | 112001      | -                          | -
	im_logged_in by host        | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | -                          | -
	im_logged_in adopted        | not auto_login | im_logged_in   | myaccid | 112001      | -                          | -
	im_logged_in adopted        | auto_login     | im_logged_in   | myaccid | ErrIMInUse  | -                          | -
	kit_logged_in over host's   | not auto_login | kit_logged_in  | myaccid | ErrKitInUse | -                          | -
	kit_logged_in over adopted  | not auto_login | kit_logged_in  | myaccid | ErrKitInUse | -                          | -
	kit_logged_in over engine's | not reuse_im   | kit_logged_in  | myaccid | ErrKitInUse | -                          | -
	kit_logged_in anonymous     | not reuse_im   | kit_logged_in  | guest   | nil         | -                          | -
	closed                      | any            | uninitialized  | -       | ErrClosed   | -                          | -

LogoutKit
	uninitialized               | any            | uninitialized  | -       | nil         | -                          | -
	im_initialized by host      | any            | im_initialized | -       | nil         | -                          | -
	im_initialized by engine    | not reuse_im   | im_initialized | -       | nil         | -                          | -
	uninitialized + bound       | any            | uninitialized  | myaccid | nil         | -                          | -
	uninitialized + other       | any            | uninitialized  | other   | nil         | -                          | -
	im_initialized + bound      | any            | im_initialized | myaccid | nil         | -                          | -
	im_initialized + other      | any            | im_initialized | other   | nil         | -                          | -
	im_logged_in by host        | any            | im_logged_in   | myaccid | nil         | -                          | -
	im_logged_in adopted        | any            | im_logged_in   | myaccid | nil         | -                          | -
	kit_logged_in over host's   | not auto_login | im_logged_in   | myaccid | nil         | logout_kit                 | LogoutKit
	kit_logged_in over adopted  | not auto_login | im_logged_in   | myaccid | nil         | logout_kit                 | LogoutKit
	kit_logged_in over engine's | not reuse_im   | im_initialized | -       | nil         | logout_kit logout_im       | LogoutKit, LogoutIM
	kit_logged_in anonymous     | not reuse_im   | im_initialized | -       | nil         | logout_kit logout_im       | LogoutKit, LogoutIM
	closed                      | any            | uninitialized  | -       | ErrClosed   | -                          | -

LogoutIM
	uninitialized               | any            | uninitialized  | -       | nil         | -                          | -
	im_initialized by host      | any            | im_initialized | -       | nil         | -                          | -
	im_initialized by engine    | not reuse_im   | im_initialized | -       | nil         | -                          | -
	uninitialized + bound       | any            | uninitialized  | myaccid | nil         | -                          | -
	uninitialized + other       | any            | uninitialized  | other   | nil         | -                          | -
	im_initialized + bound      | any            | im_initialized | myaccid | nil         | -                          | -
	im_initialized + other      | any            | im_initialized | other   | nil         | -                          | -
	im_logged_in by host        | any            | im_initialized | -       | nil         | logout_im                  | LogoutIM
	im_logged_in adopted        | any            | im_initialized | -       | nil         | logout_im                  | LogoutIM
	kit_logged_in over host's   | not auto_login | im_initialized | -       | nil         | logout_kit logout_im       | LogoutKit, LogoutIM
	kit_logged_in over adopted  | not auto_login | im_initialized | -       | nil         | logout_kit logout_im       | LogoutKit, LogoutIM
	kit_logged_in over engine's | not reuse_im   | im_initialized | -       | nil         | logout_kit logout_im       | LogoutKit, LogoutIM
	kit_logged_in anonymous     | not reuse_im   | im_initialized | -       | nil         | logout_kit logout_im       | LogoutKit, LogoutIM
	closed                      | any            | uninitialized  | -       | ErrClosed   | -                          | -

Close
	uninitialized               | any            | uninitialized  | -       | nil         | -                          | -
	im_initialized by host      | any            | uninitialized  | -       | nil         | close                      | -
	im_initialized by engine    | not reuse_im   | uninitialized  | -       | nil         | close                      | -
	uninitialized + bound       | any            | uninitialized  | myaccid | nil         | -                          | -
	uninitialized + other       | any            | uninitialized  | other   | nil         | -                          | -
	im_initialized + bound      | any            | uninitialized  | myaccid | nil         | close                      | -
	im_initialized + other      | any            | uninitialized  | other   | nil         | close                      | -
	im_logged_in by host        | any            | uninitialized  | -       | nil         | close                      | LogoutIM
	im_logged_in adopted        | any            | uninitialized  | myaccid | nil         | close                      | -
	kit_logged_in over host's   | not auto_login | uninitialized  | -       | nil         | close                      | LogoutKit, LogoutIM
	kit_logged_in over adopted  | not auto_login | uninitialized  | myaccid | nil         | close                      | LogoutKit
	kit_logged_in over engine's | not reuse_im   | uninitialized  | -       | nil         | close                      | LogoutKit, LogoutIM
	kit_logged_in anonymous     | not reuse_im   | uninitialized  | -       | nil         | close                      | LogoutKit, LogoutIM
	closed                      | any            | uninitialized  | -       | nil         | -                          | -
`
