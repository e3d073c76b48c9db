/** @internal */
export { brandOf, MEMORY_STORE, SESSION } from './brand.ts'
/** @internal */
export { checkNames, wrong } from './check.ts'
/** @internal */
export { base64url } from './crypto/base64url.ts'
/** @internal */
export { hasAnswer, isError } from './errors.ts'
export {
  SessionConflictError,
  SessionDataError,
  SessionEndedError,
  SessionError,
  SessionStateError,
  StoreUnavailableError,
  type SessionErrorCode,
} from './errors.ts'
export { sessionEventTypes, type EndReason, type SessionEvent, type SessionEventType } from './events.ts'
export type { Json } from './draft/json.ts'
export { createSessionManager, type SessionManager } from './manager.ts'
export type { CommitResponse } from './http/commit-response.ts'
/** @internal */
export {
  checkMount,
  commitInTurn,
  joined,
  MOUNTED,
  refuseAssigned,
  sessionProperty,
  taken,
  withMounted,
  type Mounted,
} from './mounting.ts'
export { MemoryStore, type MemoryStoreOptions } from './stores/memory-store.ts'
export type { CookieOptions, Secret, SessionOptions } from './options.ts'
export { headersOf, type ResponseHeaders } from './http/response-headers.ts'
export type { Session, SessionData, SessionTimeouts, SignInOptions } from './session/session.ts'
export type { UserSession } from './session/users.ts'
export type { CookieHeader, OpenOptions } from './session/opening.ts'
export type { ReplaceOutcome, SessionStore, StoredRecord, StoreNotice, Version } from './stores/store.ts'
