import { Controller, Get, Module, Post, Redirect, UseGuards } from '@nestjs/common'
import type { Session } from 'holdfast'
import { CurrentSession, SessionModule, SignedIn, type Data } from './sessions.ts'

@Controller()
class ShopController {
  @Get()
  async view(@CurrentSession() session: Session<Data>) {
    return `view ${await session.update('views', (n = 0) => n + 1)}`
  }

  @Post('login')
  @Redirect('/')
  login(@CurrentSession() session: Session<Data>) {
    session.signIn('u1')
  }

  @Post('logout')
  @Redirect('/')
  logout(@CurrentSession() session: Session<Data>) {
    session.destroy()
  }

  @Get('account')
  @UseGuards(SignedIn)
  async account(@CurrentSession() session: Session<Data>) {
    return { userId: await session.userId() }
  }
}

@Module({ imports: [SessionModule], controllers: [ShopController] })
export class AppModule {}
