/** Types of <tocsin-bell>, for pages written in TypeScript. */

/** One entry of the inbox, as `GET /v1/inbox` shows it. */
export interface Entry {
  id: string;
  /** Its place in the person's stream: the higher, the newer. */
  offset: number;
  kind?: string | null;
  category?: string | null;
  title?: string | null;
  body?: string | null;
  /** What the sender gave along; `url` (http or https) makes the entry a link. */
  data?: { url?: string; [name: string]: unknown } | null;
  created_at: string;
  read_at?: string | null;
}

export class TocsinBell extends HTMLElement {
  /** A token of the person, or what gets one whenever one is needed; null: nobody is signed in. */
  set token(token: string | (() => string | Promise<string>) | null);
  get token(): string | (() => string | Promise<string>) | null;
  /** How many entries are unread. */
  readonly unread: number;
  /** Shows the list. */
  open(): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "tocsin-bell": TocsinBell;
  }
  interface HTMLElementEventMap {
    /** An entry was chosen; `preventDefault()` keeps its link from opening. */
    "tocsin-open": CustomEvent<Entry>;
    /** How many entries are unread has changed. */
    "tocsin-unread": CustomEvent<number>;
    /** The gateway takes the token no more: set another one. */
    "tocsin-signed-out": CustomEvent<undefined>;
  }
}
