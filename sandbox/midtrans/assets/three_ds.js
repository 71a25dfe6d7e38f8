/* The bank's page is done: lead the payment page, one frame up, to the result. */
window.parent.location.replace(document.body.dataset.target);
