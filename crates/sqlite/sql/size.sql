-- How many bytes the pages of the file take, and how many of these pages are free. No page is read
-- for it but the first.
SELECT page_count * page_size, freelist_count * page_size
FROM pragma_page_count, pragma_page_size, pragma_freelist_count;
