'use strict';

// A clip as a figure: its playing picture above its name, and what else is to be said.
function makeFigure(clip, note) {
  const figure = document.createElement('figure');
  const image = document.createElement('img');
  const caption = document.createElement('figcaption');
  image.loading = 'lazy';
  image.alt = '';
  if (clip.thumb) image.src = clip.thumb;
  caption.textContent = note === undefined ? clip.name : `${note} ${clip.name}`;
  figure.append(image, caption);
  figure.tabIndex = 0;
  return figure;
}
