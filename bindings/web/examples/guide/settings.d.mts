// What settings.mjs exports. Your own server makes that file.
export const appKey: string;
/** The IM account. */
export const account: string;
export const token: string;
/** The kit account that is bound to it. */
export const userUuid: string;
export const userToken: string;
/** Only for a private deployment or a sandbox. */
export const kitURL: string | undefined;
/** Options of the SDK for a private deployment or a sandbox; else {}. */
export const sdk: object;
