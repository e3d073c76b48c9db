/** base64url without padding (RFC 4648 §5); by Buffer where the runtime has one, since each request pays for it. */
export function base64url(bytes: Uint8Array): string {
  if (typeof Buffer !== 'undefined')
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** The bytes of what `base64url` gave. */
export function fromBase64url(text: string): Uint8Array {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}

/** Whether the text could be 32 bytes: 42 characters carry 6 bits each, the last one 4. */
export function is32Bytes(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text)
}
