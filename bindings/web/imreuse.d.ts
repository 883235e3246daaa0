// The types of imreuse. See README.md.

export interface LoadOptions {
  /** imreuse.wasm, or where it is. Default: beside imreuse.mjs. */
  wasm?: string | URL | Response | BufferSource | Promise<Response>;
  signal?: AbortSignal;
}

/** Compiles and starts the engine. Two loads share nothing. */
export function load(options?: LoadOptions): Promise<Imreuse>;

export interface Imreuse {
  /**
   * Step 1 of the Web guide. Returns the SDK with a getInstance whose instances
   * can be passed to initialize: @yxim/nim-web-sdk (V1) or nim-web-sdk-ng (V2).
   * The instances are the SDK's own, and the SDK and the page notice nothing.
   */
  reuseIM<SDK extends object>(SDK: SDK): SDK;

  /** For any other IM client. The page reports to the result what happens there. */
  hostIM(client?: IMClient): HostIM;

  /** A cloud in memory, with the accounts of a sandbox's file or else of the guides. */
  mock(accounts?: Accounts | string): Mock;

  /** Step 2 of the Web guide. It sends nothing. */
  initialize(options: Options & CallOptions): Promise<Kit>;
}

export type Mode = 'auto_detect' | 'reuse_im' | 'auto_login';
export type State = 'uninitialized' | 'im_initialized' | 'im_logged_in' | 'kit_logged_in';
export type Trigger = 'init_im' | 'login_im' | 'login_kit' | 'logout_kit' | 'logout_im' | 'kit_lost' | 'im_lost' | 'close';

/** 1 by a login on another device, 2 by the server, 3 by another device, 4 by a new login on this one. */
export type KickReason = 1 | 2 | 3 | 4;

/** A generation of the vendor's kits, each with numbers of its own. */
export type Profile = 'meeting' | 'room' | 'desktop' | 'roomkit1' | 'meeting1';

export interface Options {
  appKey: string;
  /** What reuseIM(…).getInstance returned, or what hostIM did. It may be left out with mock. */
  im?: object;
  /** The kit server, and without im the IM client, too. */
  mock?: Mock;
  /** Who logs IM in. Default: 'auto_detect'. */
  mode?: Mode;
  /** The kit server of a private deployment, https or on loopback. Default: the vendor's. */
  kitURL?: string | URL;
  /** Keep one for each installation. Default: a new one. */
  deviceId?: string;
  /** The kit tokens are dynamic IM tokens. */
  dynamicToken?: boolean;
  /** Allows http to a kit server that is not on loopback. */
  plainHTTP?: boolean;
  /** Kit logins fail with 100004 while the IM link is down. */
  requireOnline?: boolean;
  /** Fetches a kit token where a call has none, or another for one that was refused. */
  kitToken?: TokenSource;
  /** The same for an IM token. */
  imToken?: TokenSource;
  /** Gets each line of the engine's log. No line has a token in it. */
  logger?: (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown>) => void;
}

export type TokenSource = (id: string, refused: string, options: { signal: AbortSignal }) => string | Promise<string>;

export interface CallOptions {
  /** An aborted call rejects with an ImreuseError whose cause is the signal's reason. */
  signal?: AbortSignal;
}

/** One kit login, and the IM login below it. Each operation resolves with the status after it. */
export class Kit extends EventTarget {
  private constructor();

  /** The status now. It never changes; each change makes a new one. */
  readonly status: Status;

  /** Yields the status now, and then each change, until the signal or close. */
  watch(options?: CallOptions): AsyncIterableIterator<Status>;

  /** Step 3 of the Web guide. userToken may be left out with Options.kitToken. */
  loginByToken(userUuid: string, userToken?: string, options?: CallOptions): Promise<Status>;
  /** Logs in with a temporary account. Reuse does not support that: 112001. */
  loginAnonymous(options?: CallOptions): Promise<Status>;
  /** Logs in, and again after each loss that may pass. It rejects when that ends. */
  keep(userUuid: string, userToken?: string, options?: CallOptions): Promise<Status>;
  /** Gives the login a new token. */
  renewToken(userUuid: string, userToken?: string, options?: CallOptions): Promise<Status>;
  /** Logs the kit out. The page's IM login stays. */
  logout(options?: CallOptions): Promise<Status>;

  initIM(options?: CallOptions): Promise<Status>;
  loginIM(account: { accid: string; token?: string }, options?: CallOptions): Promise<Status>;
  logoutIM(options?: CallOptions): Promise<Status>;

  /** Logs out what the engine logged in, and ends every call and watch. */
  close(): Promise<Status>;

  addEventListener(
    type: 'change',
    listener: ((event: CustomEvent<Status>) => void) | { handleEvent(event: CustomEvent<Status>): void } | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener(
    type: 'change',
    listener: ((event: CustomEvent<Status>) => void) | { handleEvent(event: CustomEvent<Status>): void } | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

export interface Status {
  /** One more with each change; a gap shows that a watcher was too slow. */
  readonly seq: number;
  readonly state: State;
  /** What led here; '' at first. */
  readonly via: Trigger | '';
  /** The highest state that the page reached, or that was already there. */
  readonly floor: State;
  /** The IM link is up. */
  readonly online: boolean;
  /** The kit uses the page's IM login. */
  readonly reused: boolean;
  readonly session?: string;
  readonly accid?: string;
  readonly userUuid?: string;
  readonly anonymous: boolean;
  /** The kit's token has run out and is being renewed. */
  readonly expired: boolean;
  /** Why a login ended that nobody asked to end. */
  readonly cause?: Cause;
}

export interface Cause {
  /** The engine's code; 0: it has none. */
  readonly code: number;
  readonly text: string;
  readonly remedy?: string;
  readonly kick?: { readonly reason: KickReason; readonly clientType?: number; readonly text?: string };
}

export class ImreuseError extends Error {
  private constructor();
  /** 100004, 100005, 112001, one of -20001 to -20016, or -1: it has none, such as an aborted call. */
  readonly code: number;
  /** What to do about it; '' if nothing is known. */
  readonly remedy: string;
  /** The operation that failed, such as 'LoginKit'. */
  readonly op: string;
  /** The call of the IM client or of the kit server that failed, or ''. */
  readonly call: string;
  /** The number that a generation of the vendor's kits has for it; 0: it has none. */
  in(profile: Profile): number;
}

export interface IMClient {
  /** Each may be left out: then the page does that itself. */
  init?(call: { appKey: string; signal: AbortSignal }): unknown;
  /** Resolves once the account is logged in, and rejects once it is certain that it will not be. */
  login?(call: { appKey: string; accid: string; token: string; signal: AbortSignal }): unknown;
  /** Resolves once nobody is logged in. */
  logout?(call: { signal: AbortSignal }): unknown;
}

/** Reports what the page's IM client does, in its order, whoever asked for it. */
export interface HostIM {
  loggingIn(): void;
  loggedIn(account: { appKey?: string; accid: string }): void;
  /** Without code and reason: the page logged out. */
  loggedOut(why?: { code?: number; reason?: KickReason; text?: string }): void;
  link(online: boolean): void;
}

export interface Accounts {
  appKey: string;
  appSecret?: string;
  im: { accid: string; token: string }[];
  kit: { userUuid: string; userToken: string; accid: string }[];
}

export interface Mock {
  /** Another device, or the server, ends the IM login. */
  kick(accid: string, reason: KickReason): void;
  /** The kit's token runs out. */
  expire(userUuid: string): void;
  /** The IM link goes down or comes back. */
  link(online: boolean): void;
  /** The page logs IM in by itself. */
  hostLogin(accid: string, token: string): Promise<void>;
  /** The page logs IM out by itself. */
  hostLogout(): void;
}
