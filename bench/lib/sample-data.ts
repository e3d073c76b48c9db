export interface Data {
  userId: string
  name: string
  views: number
  cart: { item: string; quantity: number; price: number }[]
  note: string
}

/** What a shop keeps of a visitor, filled up to a length in JSON. */
export function sampleData(jsonBytes = 260): Data {
  const data: Data = { userId: 'u1048576', name: 'Ada Lovelace', views: 1, cart: [], note: '' }
  for (const item of ['lantern', 'sextant', 'rope']) {
    if (JSON.stringify(data).length + 60 < jsonBytes) data.cart.push({ item, quantity: 2, price: 1990 })
  }
  data.note = 'x'.repeat(jsonBytes - JSON.stringify(data).length)
  return data
}
