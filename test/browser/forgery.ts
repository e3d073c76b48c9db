import type { Page } from 'playwright-core'

// What the attacker's page can make the visitor's browser send. Each gives the status that it was answered with.

export async function postByForm(page: Page, url: string): Promise<number> {
  const [response] = await Promise.all([
    page.waitForResponse(url),
    page.evaluate((action) => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action })
      document.body.append(form)
      form.submit()
    }, url),
  ])
  // Only an answer without a body leaves the attacker's page where it was.
  if (response.status() !== 204) await page.waitForURL(url)
  return response.status()
}

/** The attacker cannot read the answer, but need not. */
export async function postByFetch(page: Page, url: string): Promise<number> {
  const [response] = await Promise.all([
    page.waitForResponse(url),
    page.evaluate(async (url) => {
      const body = new URLSearchParams({ item: 'rope' })
      await fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body })
    }, url),
  ])
  return response.status()
}

/** Gives the error that the attacker's script gets, if any. */
export async function postJson(page: Page, url: string): Promise<string> {
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }
  return page.evaluate(
    ({ url, init }) =>
      fetch(url, { ...init, credentials: 'include' }).then(
        ({ status }) => String(status),
        (error: Error) => error.name,
      ),
    { url, init },
  )
}

export async function getByImage(page: Page, url: string): Promise<number> {
  const [response] = await Promise.all([
    page.waitForResponse(url),
    page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const image = new Image()
          image.addEventListener('error', resolve)
          image.src = url
        }),
      url,
    ),
  ])
  return response.status()
}

export async function getByLink(page: Page, url: string): Promise<number> {
  const [response] = await Promise.all([
    page.waitForResponse(url),
    page.evaluate((href) => {
      const link = Object.assign(document.createElement('a'), { href })
      document.body.append(link)
      link.click()
    }, url),
  ])
  return response.status()
}
