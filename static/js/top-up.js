// The amount on the top-up form: presets, grouping while typing, and a word at once when it is out of range.

const input = document.querySelector("[data-amount]");
const error = document.querySelector("[data-amount-error]");

const digits = (text) => text.replace(/\D/g, "").slice(0, 12);
const grouped = (text) => digits(text).replace(/^0+(?=\d)/, "").replace(/\B(?=(\d{3})+(?!\d))/g, ".");

function show() {
  const amount = Number(digits(input.value));
  const wrong = input.value !== "" && (amount < Number(input.dataset.smallest) || amount > Number(input.dataset.largest));
  input.classList.toggle("is-invalid", wrong);
  input.setAttribute("aria-invalid", String(wrong));
  error.textContent = wrong ? input.dataset.wrong : "";
  for (const button of document.querySelectorAll("[data-preset]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.preset) === amount));
  }
}

function regroup() {
  const fromEnd = input.value.length - input.selectionEnd;
  input.value = grouped(input.value);
  const place = Math.max(input.value.length - fromEnd, 0);
  if (document.activeElement === input) input.setSelectionRange(place, place);
  show();
}

document.addEventListener("click", (event) => {
  const preset = event.target.closest("[data-preset]");
  if (!preset) return;
  input.value = grouped(preset.dataset.preset);
  show();
});
input.addEventListener("input", regroup);
regroup();
