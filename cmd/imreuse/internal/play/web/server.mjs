// The requests to the session. An act shows the secret of the catalogue, so no
// other site's page can make one.

let secret;

async function read(response) {
  const body = await response.json().catch(() => ({ error: `HTTP ${response.status}` }));
  if (!response.ok) throw Object.assign(new Error(body.error), { status: response.status });
  return body;
}

export async function getCatalogue() {
  const catalogue = await read(await fetch('play/catalogue.json'));
  secret = catalogue.secret;
  return catalogue;
}

export const getPanel = async () => read(await fetch('play/panel.json'));

async function post(name, details) {
  const headers = { 'Content-Type': 'application/json', 'Imreuse-Play': secret };
  return read(await fetch(`play/${name}`, { method: 'POST', headers, body: JSON.stringify(details) }));
}

/** Posts an act. If the server was restarted, it has a new secret. */
async function postTwice(name, details) {
  try {
    return await post(name, details);
  } catch (error) {
    if (error.status !== 403) throw error;
    await getCatalogue();
    return post(name, details);
  }
}

let last = Promise.resolve();

/**
 * Carries out an act. The answer has its result, or the id of an act that still
 * runs. Each act is posted once the one before it was answered, since requests
 * that are on their way together may arrive in another order.
 */
export function act(name, details) {
  const answer = last.then(() => postTwice(name, details));
  last = answer.catch(() => {});
  return answer;
}
