// "One more": a button with data-add-row="<id>" adds a blank copy of the last row of that list, under the next number.

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add-row]");
  if (!button) return;
  const list = document.getElementById(button.dataset.addRow);
  const rows = list.querySelectorAll("[data-row]");
  const row = blank(rows[rows.length - 1], rows.length);
  list.append(row);
  row.querySelector("input, textarea").focus();
});

function blank(last, number) {
  const row = last.cloneNode(true);
  for (const element of row.querySelectorAll("[id], [name], [for]")) {
    for (const attribute of ["id", "name", "for"]) {
      const value = element.getAttribute(attribute);
      if (value) element.setAttribute(attribute, value.replace(/-\d+-/, `-${number}-`));
    }
  }
  for (const field of row.querySelectorAll("input:not([type=checkbox]), textarea")) {
    field.value = "";
    field.readOnly = false;
    field.classList.remove("is-invalid");
  }
  row.querySelectorAll(".variable-problem").forEach((problem) => problem.remove());
  return row;
}
