/** The page of the API: reads /api/v1/openapi.json and lets every question be asked. One file, nothing from elsewhere. */
export const API_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ovsight API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
details{border:1px solid #8886;border-radius:.4rem;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}code,pre,input{font:13px/1.4 ui-monospace,monospace}
label{display:grid;grid-template-columns:10rem 18rem 1fr;gap:.8rem;margin:.3rem 0;align-items:baseline}
pre{overflow:auto;max-height:30rem;background:#8881;padding:.6rem}small{opacity:.75}
</style></head><body>
<h1>ovsight API</h1>
<p><small>OpenAPI 3.1: <a href="/api/v1/openapi.json">/api/v1/openapi.json</a></small></p>
<form onsubmit="return false"><label><span>token</span><input id="token" type="password" autocomplete="off"><small>ovsight token create; not needed where the API is open</small></label></form>
<main></main>
<script>
const main = document.querySelector('main')
const el = (tag, text, ...children) => { const e = document.createElement(tag); if (text) e.textContent = text; e.append(...children); return e }
const said = (text) => el('small', '', ...text.split('\`').map((part, i) => (i % 2 ? el('code', part) : part)))
fetch('/api/v1/openapi.json').then((r) => r.json()).then((api) => {
  for (const [path, { get }] of Object.entries(api.paths)) {
    const form = el('form'), out = el('pre'), line = el('code')
    for (const p of get.parameters) {
      const input = el('input'); input.name = p.name
      form.append(el('label', '', el('span', p.name), input, said(p.description)))
    }
    form.append(el('button', 'Ask'))
    form.onsubmit = async (event) => {
      event.preventDefault()
      const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ''))
      const url = path + (query.size ? '?' + query : '')
      line.textContent = 'GET ' + url
      const token = document.getElementById('token').value
      const answer = await fetch(url, { headers: token ? { authorization: 'Bearer ' + token } : {} })
      const text = await answer.text()
      try { out.textContent = answer.status + '\\n' + JSON.stringify(JSON.parse(text), null, 1) } catch { out.textContent = answer.status + '\\n' + text }
    }
    main.append(el('details', '', el('summary', '', el('code', path), ' ', said(get.summary)), form, line, out))
  }
})
</script></body></html>
`

/** Only the page's own script and style, and questions to the server it came from. */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"
