// The types of window.NIM. Each page has only one of the two SDKs.
import type V2 from 'nim-web-sdk-ng';

declare global {
  interface Window {
    NIM: {
      getInstance(options: {
        appKey: string;
        account: string;
        token: string;
        onconnect?(): void;
        onwillreconnect?(): void;
        ondisconnect?(error: { code: number | string; reason?: string }): void;
      }): { disconnect(): void };
      default: typeof V2;
    };
  }
}
