import { inSession } from '../../session'

export async function POST() {
  try {
    await inSession((session) => {
      session.destroy()
      throw new Error("the handler's own")
    })
  } catch (error) {
    return new Response((error as Error).message)
  }
}
