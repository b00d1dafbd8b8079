/** A pair of tokens, as the service hands it out. */
export interface Tokens {
  access_token: string;
  refresh_token: string;
  /** Seconds that the access token holds; without it, the token itself is asked. */
  expires_in?: number;
}

export interface LiveOptions {
  /** How long to wait before connecting again, in milliseconds: doubled from `min` to `max`, and spread. */
  backoff?: { min: number; max: number };
  /** How long an attempt may take until the service has welcomed it. */
  connectTimeout?: number;
  /** Attempts without a welcome after which events come over server-sent events. */
  fallbackAfter?: number;
  /** How often the WebSocket is tried again from there in the end, in milliseconds; sooner at first. */
  retryWebSocket?: number;
  /** Milliseconds of silence before a ping; else what the service says. */
  pingInterval?: number;
}

export interface WorkroomOptions {
  /** Where the service is: `https://workroom.example`. */
  url: string | URL;
  /** Tokens of an earlier sign-in. */
  tokens?: Tokens;
  /** A personal access token (`wrp_…`), instead of signing in. */
  token?: string;
  /** Gets each new pair of tokens, to be kept; `null`, when they do not hold any more. */
  onTokens?: (tokens: Tokens | null) => void;
  fetch?: typeof globalThis.fetch;
  /** A class like the browsers' `WebSocket`; `null`: none, so that events come over server-sent events. */
  WebSocket?: (new (url: string, protocols?: string[]) => unknown) | null;
  live?: LiveOptions;
}

export type QueryValue = string | number | boolean | Date | null | undefined;

export interface RequestOptions {
  query?: Record<string, QueryValue | QueryValue[]>;
  headers?: HeadersInit;
  /** Made by itself for each POST that creates. */
  idempotencyKey?: string;
  /** The `etag` of what is to be changed; refused with 412 when it has changed since. */
  ifMatch?: string;
  /** The position that a read waits for; by itself the highest that was seen. 0: none. */
  minPosition?: number;
  signal?: AbortSignal;
  /** Milliseconds for all attempts together. 60,000 if not given. */
  timeout?: number;
  /** `false`: one attempt only. */
  retry?: boolean;
}

export interface Reply<T = any> {
  status: number;
  data: T;
  headers: Headers;
  etag: string | null;
  location: string | null;
  position: number | null;
  /** Whether the service gave a reply that it had given before, under the same key. */
  replayed: boolean;
}

export interface Status {
  state: "connecting" | "online" | "offline";
  transport: "websocket" | "sse" | null;
  reason: string | null;
  /** The close code, if there was one. */
  code: number | null;
  /** Milliseconds until the next attempt. */
  retryIn: number | null;
}

export interface FieldProblem {
  pointer: string;
  code: string;
  detail: string;
}

export class WorkroomError extends Error {
  /** The HTTP status; 0 where there was no reply. */
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors: FieldProblem[];
  readonly requestId: string | null;
  /** Seconds. */
  readonly retryAfter: number | null;
  /** Whether the request, or an earlier attempt of it, may have been carried out all the same. */
  readonly uncertain: boolean;
}

/** A place in a feed: the `seq` of an event, in one history. */
export interface Place {
  epoch?: string | null;
  seq: number;
}

export interface WorkroomEvent<Data = any> {
  type: "event";
  project_id?: string;
  organization_id?: string;
  account?: true;
  seq: number;
  position: number;
  event_id: string;
  event_type: string;
  occurred_at: string;
  actor: string | null;
  data: Data;
}

export interface Member<State = any> {
  user_id: string;
  connections: number;
  since: string;
  state: State;
}

export interface CursorPosition {
  /** The file that it is in; not needed in the room of a file. */
  file_id?: string;
  x?: number;
  y?: number;
  line?: number;
  column?: number;
  selection?: unknown;
  color?: string;
}

export interface Cursor extends CursorPosition {
  /** Whether it is in the room of the file `file_id`, and not in that of the workspace. */
  document?: true;
  user_id: string;
  connection_id: string;
}

export interface Message<Data = any> {
  project_id: string;
  workspace_id?: string;
  file_id?: string;
  name: string;
  from: string;
  connection_id?: string;
  data: Data;
}

export type PresenceChange =
  | { type: "presence.state"; members: Member[] }
  | ({ type: "presence.joined" | "presence.updated" } & Member)
  | { type: "presence.left"; user_id: string };

/** In a project: everybody, those in a workspace, or those in a file of it. */
export type RoomOfProject = { workspaceId?: string; fileId?: undefined } | { workspaceId: string; fileId?: string };

export type Topic =
  | ({ projectId: string; organizationId?: undefined; account?: undefined } & RoomOfProject)
  | { organizationId: string; projectId?: undefined; workspaceId?: undefined; fileId?: undefined; account?: undefined }
  | { account: true; projectId?: undefined; workspaceId?: undefined; fileId?: undefined; organizationId?: undefined };

export type SubscribeOptions = Topic & {
  /** The last event that you have; without it, only what comes is told. */
  since?: Place | null;
  /** `true` if not given. */
  events?: boolean;
  presence?: boolean;
  cursors?: boolean;
  /** Whether to be told what jobs print, as it comes. Of projects, without a workspace. */
  output?: boolean;
  /** Ends the subscription. */
  signal?: AbortSignal;
  /** Events that may wait for a loop. 10,000 if not given. */
  maxQueue?: number;
};

/** A piece of what a job prints. */
export interface JobOutput {
  project_id: string;
  job_id: string;
  attempt: number;
  stream: "stdout" | "stderr";
  /** Its number within the attempt, as in `GET /jobs/{id}/logs`. */
  seq: number;
  data: string;
}

export interface SubscriptionEvents {
  subscribed: { epoch: string; head: number; role: string | null };
  event: WorkroomEvent;
  caughtUp: { seq: number };
  reset: { epoch: string; head: number };
  head: number;
  role: string;
  presence: PresenceChange;
  cursor: Cursor;
  message: Message;
  output: JobOutput;
  /** Pieces were left out: read them by `GET /jobs/{id}/logs`. Without a job, of any. */
  outputSkipped: { project_id: string; job_id?: string };
  error: WorkroomError;
  unsubscribed: { reason: string };
}

interface Listening<Events> {
  /** Listens; returns what takes the listener away again. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => unknown): () => void;
  once<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => unknown): () => void;
  off<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => unknown): void;
}

export interface Subscription extends Listening<SubscriptionEvents>, AsyncIterable<WorkroomEvent> {
  readonly state: "waiting" | "live" | "ended";
  readonly role: string | null;
  /** The last event that was handed over. */
  readonly place: Place | null;
  readonly members: ReadonlyMap<string, Member>;
  /** By connection. */
  readonly cursors: ReadonlyMap<string, Cursor>;
  /** Resolves once the service has accepted it; rejects when it refuses. */
  ready(): Promise<Subscription>;
  setPresence(state: unknown): void;
  moveCursor(cursor: CursorPosition | null): void;
  publish(name: string, data: unknown): Promise<void>;
  unsubscribe(): void;
}

export interface WorkroomEvents {
  status: Status;
  tokens: Tokens | null;
  signedOut: string;
  /** Errors that nobody else listens to, those of listeners included. */
  error: unknown;
}

export interface Workroom extends Listening<WorkroomEvents> {}

export class Workroom {
  constructor(options: WorkroomOptions);
  readonly isSignedIn: boolean;
  readonly tokens: Tokens | null;
  readonly position: number;
  readonly status: Status;
  signIn(credentials: { email: string; password: string }, options?: { signal?: AbortSignal }): Promise<any>;
  signOut(): Promise<void>;
  setTokens(tokens: Tokens): void;
  request<T = any>(method: string, path: string, options?: RequestOptions & { body?: unknown }): Promise<Reply<T>>;
  get<T = any>(path: string, options?: RequestOptions): Promise<T>;
  post<T = any>(path: string, body?: unknown, options?: RequestOptions): Promise<T>;
  patch<T = any>(path: string, body?: unknown, options?: RequestOptions): Promise<T>;
  put<T = any>(path: string, body?: unknown, options?: RequestOptions): Promise<T>;
  delete<T = any>(path: string, options?: RequestOptions & { body?: unknown }): Promise<T>;
  list<T = any>(path: string, options?: RequestOptions): AsyncGenerator<T, void, undefined>;
  subscribe(options: SubscribeOptions): Subscription;
  publish(projectId: string, message: { name: string; data: unknown } & RoomOfProject): Promise<void>;
  close(): void;
}
