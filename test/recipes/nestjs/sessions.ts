import {
  Inject,
  Module,
  UnauthorizedException,
  createParamDecorator,
  type CanActivate,
  type ExecutionContext,
  type MiddlewareConsumer,
  type NestModule,
  type OnApplicationShutdown,
} from '@nestjs/common'
import { createSessionManager, type SessionManager } from 'holdfast'
import { session, type SessionRequest } from 'holdfast/node'

export type Data = { views: number }

/** What asks for the manager: `@Inject(SESSIONS)`. */
export const SESSIONS = Symbol('sessions')

/** In a controller: `@CurrentSession() session: Session<Data>`. */
export const CurrentSession = createParamDecorator((_: unknown, context: ExecutionContext) =>
  sessionOf(context),
)

/** `@UseGuards(SignedIn)`. */
export class SignedIn implements CanActivate {
  async canActivate(context: ExecutionContext) {
    const userId: unknown = await sessionOf(context).userId()
    if (typeof userId !== 'string') throw new UnauthorizedException()
    return true
  }
}

function sessionOf(context: ExecutionContext) {
  return context.switchToHttp().getRequest<SessionRequest<Data>>().session
}

@Module({
  providers: [{ provide: SESSIONS, useFactory: () => createSessionManager<Data>() }],
  exports: [SESSIONS],
})
export class SessionModule implements NestModule, OnApplicationShutdown {
  readonly #manager: SessionManager<Data>

  constructor(@Inject(SESSIONS) manager: SessionManager<Data>) {
    this.#manager = manager
  }

  configure(consumer: MiddlewareConsumer) {
    consumer.apply(session(this.#manager)).forRoutes('{*path}')
  }

  onApplicationShutdown() {
    return this.#manager.close()
  }
}
