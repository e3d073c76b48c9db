export type Data = {
  userId: string
  cart: { sku: string; count: number }[]
  views: number
  nickname?: string | null
}
