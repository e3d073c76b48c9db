import { connect } from 'node:net'

/** Asks for /all with the very bytes of these Cookie lines, which no HTTP client would send; gives the whole answer. */
export async function askRaw(url: string, ...cookies: (string | Buffer)[]): Promise<string> {
  const lines = cookies.flatMap((cookie) => [
    Buffer.from('Cookie: '),
    Buffer.from(cookie),
    Buffer.from('\r\n'),
  ])
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(
    Buffer.concat([
      Buffer.from('GET /all HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n'),
      ...lines,
      Buffer.from('\r\n'),
    ]),
  )
  let answer = ''
  try {
    for await (const chunk of socket) answer += (chunk as Buffer).toString('latin1')
  } catch {
    // A server that refuses a request may not wait for the rest of it.
  }
  return answer
}
