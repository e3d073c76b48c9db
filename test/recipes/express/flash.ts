import type { Session } from 'holdfast'

type Data = { flash: string[] }

export const addFlash = (session: Session<Data>, text: string) =>
  session.update('flash', (texts = []) => [...texts, text])

export const takeFlash = async (session: Session<Data>) => (await session.take('flash')) ?? []
