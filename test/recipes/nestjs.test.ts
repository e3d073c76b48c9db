import { BadRequestException, Controller, Get, Logger, Module, type INestApplication } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { StoreUnavailableError, type Session, type SessionManager } from 'holdfast'
import { issueSession } from 'holdfast/testing'
import { CurrentSession, SessionModule, SESSIONS, type Data } from './nestjs/sessions.ts'

const apps: INestApplication[] = []
afterAll(() => Promise.all(apps.map((app) => app.close())))

beforeAll(() => Logger.overrideLogger(false))

describe('NestJS', () => {
  let url: string
  beforeAll(async () => {
    vi.stubEnv('PORT', '0')
    const { started } = await import('./nestjs/main.ts')
    const app = await started
    vi.unstubAllEnvs()
    apps.push(app)
    url = await app.getUrl()
  })

  it('counts views, signs in under a new token, and out', async () => {
    const visit = (path: string, cookie = '', method = 'GET') =>
      fetch(url + path, { method, redirect: 'manual', headers: { cookie } })
    const cookieOf = (response: Response) => response.headers.getSetCookie()[0]!.split(';')[0]!
    const first = await visit('/')
    expect(await first.text()).toBe('view 1')
    const anonymous = cookieOf(first)
    expect((await visit('/account', anonymous)).status).toBe(401)
    const signedIn = await visit('/login', anonymous, 'POST')
    expect([signedIn.status, signedIn.headers.get('location')]).toEqual([302, '/'])
    const cookie = cookieOf(signedIn)
    expect(await (await visit('/account', cookie)).json()).toEqual({ userId: 'u1' })
    expect(await (await visit('/', cookie)).text()).toBe('view 2')
    expect(await (await visit('/', anonymous)).text()).toBe('view 1')
    await visit('/logout', cookie, 'POST')
    expect((await visit('/account', cookie)).status).toBe(401)
  })
})

@Controller()
class FailingController {
  @Get('refused')
  async refused(@CurrentSession() session: Session<Data>) {
    await session.update('views', (n = 0) => n + 1)
    throw new BadRequestException()
  }

  @Get('failed')
  async failed(@CurrentSession() session: Session<Data>) {
    await session.update('views', (n = 0) => n + 1)
    throw new Error('failed')
  }

  @Get('outage')
  outage() {
    throw new StoreUnavailableError('get', new Error('refused'))
  }
}

@Module({ imports: [SessionModule], controllers: [FailingController] })
class FailingModule {}

describe('NestJS, when a handler fails', () => {
  let app: INestApplication
  let manager: SessionManager<Data>
  beforeAll(async () => {
    app = await NestFactory.create(FailingModule)
    apps.push(app)
    await app.listen(0, '127.0.0.1')
    manager = app.get(SESSIONS)
  })

  it.each([
    ['/refused', 400, 8],
    ['/failed', 500, 7],
  ])('D3: %s is answered %i, and changes are kept below 500', async (path, status, views) => {
    const cookie = await issueSession(manager, { views: 7 })
    const response = await fetch((await app.getUrl()) + path, { headers: { cookie } })
    expect(response.status).toBe(status)
    expect(await manager.open(cookie).get('views')).toBe(views)
  })

  it('F1: an outage is a 503, which says nothing of itself', async () => {
    const response = await fetch(`${await app.getUrl()}/outage`)
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ statusCode: 503, message: 'Service Unavailable' })
  })

  it('closes the manager after the last answer', async () => {
    const closed: string[] = []
    manager.close = async () => void closed.push('manager')
    app.getHttpServer().once('close', () => closed.push('server'))
    await app.close()
    expect(closed).toEqual(['server', 'manager'])
  })
})
