// What htmx does not do: the slider, the tips, files that are dropped, pictures where they are seen, and print.
"use strict";
(() => {
  const LOW = 100, DECADES = 6;
  const $ = (id) => document.getElementById(id);

  // The slider is even in the logarithm; its number has three digits.
  const requestsAt = (slider) => Number((LOW * 10 ** (DECADES * slider.value / slider.max)).toPrecision(3));
  const placeOf = (requests, slider) => {
    const place = Math.log10(Math.max(requests, 1) / LOW) / DECADES;
    return Math.round(slider.max * Math.min(Math.max(place, 0), 1));
  };
  const spoken = (slider, number) => slider.setAttribute("aria-valuetext", Number(number.value).toLocaleString());

  document.addEventListener("input", (event) => {
    const slider = event.target;
    if (slider.id === "slider") {
      const number = $(slider.dataset.number);
      number.value = requestsAt(slider);
      spoken(slider, number);
      htmx.trigger($("workload"), "htmx:abort");
      if ($("now")) htmx.trigger($("now"), "step");
      htmx.trigger($("workload"), "rest");
    } else if (slider.name === "traffic.requests_per_day" && $("slider")) {
      $("slider").value = placeOf(Number(slider.value), $("slider"));
      spoken($("slider"), slider);
    }
  });
  // A slider has no name, so what it does is told by "rest"; its own "change" would plan twice.
  document.addEventListener("change", (event) => {
    if (event.target.id === "slider") event.stopPropagation();
  }, true);

  // Tips: what a number rests on, shown where it is pointed at, tapped, or reached by keyboard. A sentence, a table or a
  // picture has one tip for all that is in it; that one waits for a moment, and stands where the pointer is.
  const tip = () => $("tip");
  const PATIENCE_MS = 400;
  let told = null, waiting = 0;
  const tipped = (event) => {
    if (!(event.target instanceof Element)) return null;
    const at = event.target.closest(".fact, .spot, [data-tip], a, summary, input, select, button");
    if (at && at.matches(".spot")) takeTitle(at);
    return at && (at.matches(".fact") || at.dataset.tip) ? at : null;
  };
  // A mark of a picture says its words as its title, which a browser would show too.
  const takeTitle = (mark) => {
    const title = mark.querySelector("title");
    if (!title) return;
    mark.dataset.tip = title.textContent;
    title.remove();
  };
  const show = (element, event) => {
    if (element.title) {
      element.dataset.tip = element.title;
      element.removeAttribute("title");
    }
    if (!element.dataset.tip) return;
    hide();
    told = element;
    tip().textContent = element.dataset.tip;
    tip().hidden = false;
    if (element.matches(".fact")) element.setAttribute("aria-describedby", "tip");
    const box = element.getBoundingClientRect(), size = tip().getBoundingClientRect();
    const at = element.matches(".fact") || !event ? box : { left: event.clientX, top: event.clientY - 8, bottom: event.clientY + 16 };
    const left = Math.min(Math.max(at.left, 8), window.innerWidth - size.width - 8);
    const above = at.top - size.height - 6;
    tip().style.left = `${Math.max(left, 8)}px`;
    tip().style.top = `${above > 4 ? above : at.bottom + 6}px`;
  };
  const hide = () => {
    clearTimeout(waiting);
    if (told) told.removeAttribute("aria-describedby");
    told = null;
    if (tip()) tip().hidden = true;
  };
  document.addEventListener("pointerover", (event) => {
    const at = tipped(event);
    if (at === told) return;
    clearTimeout(waiting);
    if (!at) return;
    if (at.matches(".fact")) show(at);
    else if (at.matches(".spot") && event.pointerType === "mouse") show(at, event);
    else if (event.pointerType === "mouse") waiting = setTimeout(() => show(at, event), PATIENCE_MS);
  });
  document.addEventListener("pointerout", (event) => {
    const at = tipped(event), next = event.relatedTarget;
    if (at && at !== document.activeElement && !(at === told && next instanceof Element && tipped({ target: next }) === at)) hide();
  });
  document.addEventListener("focusin", (event) => { const at = tipped(event); if (at) show(at); });
  document.addEventListener("focusout", (event) => { if (tipped(event)) hide(); });
  document.addEventListener("click", (event) => { const at = tipped(event); if (at) show(at, event); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  window.addEventListener("scroll", hide, { passive: true });

  // Pictures are drawn in the width in which they are seen, one after the other.
  const draw = () => {
    for (const place of document.querySelectorAll("[data-draw]")) {
      if (place.offsetParent !== null && !place.dataset.asked) {
        place.dataset.asked = "yes";
        htmx.ajax("GET", place.dataset.draw, { target: place, source: place });
      }
    }
  };
  window.addEventListener("load", draw);
  window.addEventListener("resize", draw);
  document.addEventListener("toggle", draw, true);

  // What was unfolded stays unfolded when the answer is replaced; what a problem leaves standing is marked.
  let open = [];
  document.addEventListener("htmx:before:swap", () => {
    const found = [...document.querySelectorAll("details[data-bill][open]")].map((one) => one.dataset.bill);
    if (document.querySelector("details[data-bill]")) open = found;
  });
  document.addEventListener("htmx:after:swap", (event) => {
    const target = event.detail.ctx && event.detail.ctx.target;
    hide();
    if (target && target.id === "answer") {
      $("problem").replaceChildren();
      $("answer").classList.remove("stale");
      for (const one of document.querySelectorAll("details[data-bill]")) {
        if (open.includes(one.dataset.bill)) one.open = true;
      }
    }
    draw();
  });
  document.addEventListener("htmx:response:error", (event) => {
    if (event.target.id === "workload" && $("answer")) $("answer").classList.add("stale");
  });
  // A server that is gone is told where a problem is told.
  document.addEventListener("htmx:error", (event) => {
    const form = event.target.closest && event.target.closest("#workload, #answer");
    if (!form || !$("drop") || !lost(event.detail.error)) return;
    $("problem").innerHTML = '<p class="problem"></p>';
    $("problem").firstChild.textContent = $("drop").dataset.lost;
    $("answer").classList.add("stale");
  });
  const lost = (wrong) => wrong instanceof TypeError || (wrong && wrong.name === "TimeoutError");

  // A log or a spec that is dropped or chosen is read by the server, which answers with an address.
  const upload = async (file) => {
    const drop = $("drop"), said = $("upload-told");
    said.textContent = drop.dataset.busy;
    const query = new URLSearchParams({ name: file.name, size: file.size, base: window.location.search.slice(1) });
    if (drop.dataset.lang) query.set("lang", drop.dataset.lang);
    try {
      // What is too long is not sent: a browser does not listen to an answer while it sends.
      const body = file.size > Number(drop.dataset.most) ? "" : file;
      const response = await fetch(`/part/workload?${query}`, { method: "POST", body });
      const told = await response.text(), there = response.headers.get("HX-Redirect");
      if (there) {
        if (response.ok) sessionStorage.setItem(READ, told);
        window.location.assign(there);
      } else {
        said.innerHTML = told;
      }
    } catch {
      said.textContent = drop.dataset.lost;
    }
  };
  // What was read of a file is told once, on the page of its scenario.
  const READ = "breakeven-read";
  if ($("upload-told") && sessionStorage.getItem(READ)) {
    $("upload-told").innerHTML = sessionStorage.getItem(READ);
    sessionStorage.removeItem(READ);
  }
  document.addEventListener("change", (event) => {
    if (event.target.id === "file" && event.target.files.length) {
      event.stopPropagation();
      upload(event.target.files[0]);
    }
  }, true);
  const drop = (event) => event.target instanceof Element ? event.target.closest("#drop") : null;
  document.addEventListener("dragover", (event) => {
    const at = drop(event);
    if (at) { event.preventDefault(); at.classList.add("over"); }
  });
  document.addEventListener("dragleave", (event) => { const at = drop(event); if (at) at.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    const at = drop(event);
    if (!at) return;
    event.preventDefault();
    at.classList.remove("over");
    if (event.dataTransfer.files.length) upload(event.dataTransfer.files[0]);
  });

  // Print: the answer with every picture that is seen; bills are printed where they are unfolded.
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-print]")) window.print();
  });
})();
