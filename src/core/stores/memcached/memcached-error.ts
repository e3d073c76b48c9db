/** Codes, and the words that go with them; `''` where what happened says all. */
const MESSAGES = {
  // Not connected, or connected and silent: to the TLS handshake, the credentials, an operation.
  ERR_CONNECT_TIMEOUT: 'no connection in time',
  ERR_HANDSHAKE_TIMEOUT: 'no answer to the TLS handshake in time',
  ERR_SIGN_IN_TIMEOUT: 'no answer to the username and the password in time',
  ERR_ANSWER_TIMEOUT: 'no answer in time',
  // Ended before anything was sent, or with a request in flight, which may or may not have been carried out.
  ERR_CONNECT_FAILED: '',
  ERR_HANDSHAKE_FAILED: 'the TLS handshake failed: ',
  ERR_CONNECTION_LOST: '',
  // The server does not let us in.
  ERR_SIGN_IN_MISSING: 'memcached wants a username and a password',
  ERR_SIGN_IN_REFUSED: 'memcached refused the username or the password',
  ERR_SIGN_IN_UNSUPPORTED: 'memcached takes no username and password: it was started without -S',
  // It answered, and not what sessions need.
  ERR_REFUSED: 'memcached refused: ',
  ERR_OUT_OF_MEMORY: 'memcached refused: out of memory',
  ERR_NO_VERSIONS:
    'memcached keeps no versions, so parallel writes cannot be told apart: start it without -C (--disable-cas)',
}

export type MemcachedErrorCode = keyof typeof MESSAGES

/** An operation that failed: compare `code`. Where no connection comes about, the system's own error has its own. */
export class MemcachedError extends Error {
  readonly code: MemcachedErrorCode

  constructor(code: MemcachedErrorCode, what = '', options?: ErrorOptions) {
    super(MESSAGES[code] + what, options)
    this.code = code
  }
}
