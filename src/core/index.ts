export {
  SessionConflictError,
  SessionDataError,
  SessionEndedError,
  SessionError,
  SessionStateError,
  StoreUnavailableError,
  type SessionErrorCode,
} from './errors.ts'
export type { SessionEvent, SessionEventType } from './events.ts'
export type { Json } from './json.ts'
export { createSessionManager, SessionManager, type CommitResponse } from './manager.ts'
export { MemoryStore, type MemoryStoreOptions } from './memory-store.ts'
export type { CookieOptions, Secret, SessionOptions } from './options.ts'
export { headersOf, type ResponseHeaders, type ResponseHolder } from './response-headers.ts'
export { Session, type SessionData, type SessionTimeouts } from './session.ts'
export type { CookieHeader } from './session-state.ts'
export type { ReplaceOutcome, SessionStore, StoredRecord, Version } from './store.ts'
